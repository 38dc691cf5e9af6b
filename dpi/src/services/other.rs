//! Games, shopping, news, machines that answer, protection, things and the rest: ids from 1500.

use super::services;

services! {
    // Games.
    1500 STEAM "Steam" Game [
        "steampowered.com", "steamcommunity.com", "steamstatic.com", "steamcontent.com",
        "steamserver.net", "steamusercontent.com", "steamgames.com", "valvesoftware.com",
        "steam-chat.com", "steamcdn-a.akamaihd.net", "steambroadcast.akamaized.net", "steamcdn.com",
        "s.team", "steamstat.us",
    ];
    1501 EPIC_GAMES "EpicGames" Game [
        "epicgames.com", "epicgames.dev", "unrealengine.com", "fortnite.com", "epicgamescdn.com",
        "easyanticheat.net", "easy.ac",
    ];
    1502 ROBLOX "Roblox" Game [
        "roblox.com", "rbxcdn.com", "rbx.com", "robloxlabs.com", "rbxtrk.com",
    ];
    1503 PLAYSTATION "PlayStation" Game [
        "playstation.com", "playstation.net", "sonyentertainmentnetwork.com", "psn.com",
        "playstationnetwork.com", "scea.com",
    ];
    1504 NINTENDO "Nintendo" Game [
        "nintendo.com", "nintendo.net", "nintendo.co.jp", "nintendowifi.net", "nintendoswitch.com",
        "nintendo-europe.com", "nintendo.eu",
    ];
    1505 BLIZZARD "Blizzard" Game [
        "blizzard.com", "battle.net", "blz-contentstack.com", "blzddist1-a.akamaihd.net",
        "bnet.com", "blzstatic.cn", "playoverwatch.com", "hearthstone.com",
    ];
    1508 ELECTRONIC_ARTS "ElectronicArts" Game [
        "ea.com", "origin.com", "tnt-ea.com", "easports.com", "eaassets-a.akamaihd.net",
        "origin-a.akamaihd.net", "battlefield.com", "ea-api.com", "bioware.com",
    ];
    1509 UBISOFT "Ubisoft" Game ["ubisoft.com", "ubi.com", "ubisoftconnect.com", "uplay.com"];
    1510 ACTIVISION "Activision" Game [
        "activision.com", "callofduty.com", "demonware.net", "sledgehammergames.com",
    ];
    1513 DOTA2 "Dota2" Game ["dota2.com"];
    1514 GOG "GOG" Game ["gog.com", "gog-statics.com", "gogcdn.net"];
    1515 SUPERCELL "Supercell" Game [
        "supercell.com", "supercell.net", "clashofclans.com", "clashroyaleapp.com",
        "brawlstarsgame.com", "brawlstars.com",
    ];
    1516 KING "King" Game ["king.com", "midasplayer.com"];
    1517 ZYNGA "Zynga" Game ["zynga.com", "zyngagames.com"];
    1519 GARENA "Garena" Game [
        "garena.com", "garenanow.com", "freefiremobile.com", "ggblueshark.com",
    ];
    1520 MIHOYO "HoYoverse" Game ["mihoyo.com", "hoyoverse.com", "yuanshen.com", "hoyolab.com"];
    1521 WARGAMING "Wargaming" Game [
        "wargaming.net", "worldoftanks.com", "worldoftanks.eu", "wgcdn.co",
    ];
    1522 ROCKSTAR "Rockstar" Game ["rockstargames.com", "rsg.sc"];
    1523 BETHESDA "Bethesda" Game ["bethesda.net", "bethesda.com", "elderscrollsonline.com"];
    1524 CHESS_COM "ChessCom" Game ["chess.com", "chesscomfiles.com"];
    1525 NIANTIC "Niantic" Game ["nianticlabs.com", "pokemongolive.com", "nianticgames.com"];
    1526 UNITY "Unity" Game ["unity3d.com", "unity.com"];
    1527 GEFORCE_NOW "GeForceNow" Game ["geforcenow.com", "nvidiagrid.net", "geforce.com"];
    1528 STADIA "Stadia" Game ["stadia.com", "stadia.google.com"];
    1530 TOCA_BOCA "TocaBoca" Game ["tocaboca.com"];

    // Shopping, money, travel.
    1560 EBAY "eBay" Shopping [
        "ebay.com", "ebaystatic.com", "ebayimg.com", "ebay.de", "ebay.co.uk", "ebay.it", "ebay.fr",
        "ebay.es", "ebay.com.au", "ebay.ca", "ebayrtm.com", "ebaydesc.com", "ebay.at", "ebay.ch",
    ];
    1561 ALIBABA "Alibaba" Shopping [
        "alibaba.com", "taobao.com", "tmall.com", "1688.com", "alibaba-inc.com", "tbcache.com",
        "alibabagroup.com", "mmstat.com",
    ];
    1562 ALIEXPRESS "AliExpress" Shopping [
        "aliexpress.com", "aliexpress-media.com", "aliexpress.ru", "aliexpress.us",
    ];
    1563 SHEIN "Shein" Shopping ["shein.com", "ltwebstatic.com"];
    1564 TEMU "Temu" Shopping ["temu.com", "kwcdn.com"];
    1565 SHOPIFY "Shopify" Shopping [
        "shopify.com", "shopifycdn.com", "myshopify.com", "shopifysvc.com",
    ];
    1566 WALMART "Walmart" Shopping ["walmart.com", "walmartimages.com"];
    1567 ETSY "Etsy" Shopping ["etsy.com", "etsystatic.com"];
    1568 PAYPAL "PayPal" Finance [
        "paypal.com", "paypalobjects.com", "paypal.me", "braintreegateway.com",
    ];
    1569 STRIPE "Stripe" Finance ["stripe.com", "stripe.network"];
    1570 ALIPAY "Alipay" Finance ["alipay.com", "alipayobjects.com", "alipayplus.com"];
    1571 MERCADO_LIBRE "MercadoLibre" Shopping [
        "mercadolibre.com", "mercadolivre.com.br", "mlstatic.com", "mercadopago.com",
    ];
    1572 BINANCE "Binance" Crypto ["binance.com", "bnbstatic.com", "binance.us", "binance.org"];
    1573 COINBASE "Coinbase" Crypto ["coinbase.com"];
    1574 AIRBNB "Airbnb" Travel ["airbnb.com", "muscache.com", "airbnb.it", "airbnb.fr"];
    1575 BOOKING "Booking" Travel ["booking.com", "bstatic.com"];
    1576 UBER "Uber" Travel ["uber.com", "ubereats.com", "uberinternal.com"];
    1577 LYFT "Lyft" Travel ["lyft.com"];
    1578 TRIPADVISOR "TripAdvisor" Travel ["tripadvisor.com", "tacdn.com"];
    1579 EXPEDIA "Expedia" Travel ["expedia.com", "hotels.com"];
    1580 REVOLUT "Revolut" Finance ["revolut.com"];
    1581 VISA "Visa" Finance ["visa.com"];
    1582 MASTERCARD "Mastercard" Finance ["mastercard.com"];
    1583 JD "JD" Shopping ["jd.com", "360buyimg.com", "jd.hk"];
    1584 RAKUTEN "Rakuten" Shopping ["rakuten.com", "rakuten.co.jp", "r10s.jp"];
    1585 SHOPEE "Shopee" Shopping ["shopee.com", "shopee.sg", "shopeemobile.com", "shopee.co.id"];
    1586 KRAKEN "Kraken" Crypto ["kraken.com"];

    // News, knowledge, weather, health.
    1620 WIKIPEDIA "Wikipedia" Education [
        "wikipedia.org", "wikimedia.org", "wiktionary.org", "wikidata.org", "wikipedia.it",
        "wikimediafoundation.org", "mediawiki.org", "wikiquote.org", "wikibooks.org",
        "wikisource.org", "wikinews.org", "wikiversity.org", "wikivoyage.org", "wmflabs.org",
        "wikipedia.com",
    ];
    1621 CNN "CNN" News ["cnn.com", "cnn.io", "turner.com", "cnn.net"];
    1622 BLOOMBERG "Bloomberg" News [
        "bloomberg.com", "bwbx.io", "bloomberg.net", "bloomberglaw.com",
    ];
    1623 NEW_YORK_TIMES "NYTimes" News ["nytimes.com", "nyt.com", "nytimg.com"];
    1624 GUARDIAN "Guardian" News ["theguardian.com", "guardianapis.com", "guim.co.uk"];
    1625 REUTERS "Reuters" News ["reuters.com"];
    1626 FOX_NEWS "FoxNews" News ["foxnews.com", "fncstatic.com"];
    1627 FORBES "Forbes" News ["forbes.com"];
    1628 WALL_STREET_JOURNAL "WSJ" News ["wsj.com", "wsj.net", "dowjones.com"];
    1629 WASHINGTON_POST "WashingtonPost" News ["washingtonpost.com"];
    1630 ACCUWEATHER "AccuWeather" News ["accuweather.com"];
    1631 WEATHER_COM "WeatherChannel" News ["weather.com", "wunderground.com"];
    1632 OPENSTREETMAP "OpenStreetMap" Travel ["openstreetmap.org"];
    1633 PLURALSIGHT "Pluralsight" Education [
        "pluralsight.com", "pluralsight.imgix.net", "pluralsight2.imgix.net",
        "zn6qzq6caaucudesr-pluralsight.siteintercept.qualtrics.com",
    ];
    1634 COURSERA "Coursera" Education ["coursera.org"];
    1635 UDEMY "Udemy" Education ["udemy.com", "udemycdn.com"];
    1636 DUOLINGO "Duolingo" Education ["duolingo.com"];
    1637 KHAN_ACADEMY "KhanAcademy" Education ["khanacademy.org", "kastatic.org"];
    1638 FITBIT "Fitbit" Health ["fitbit.com"];
    1639 GARMIN "Garmin" Health ["garmin.com", "garmincdn.com"];
    1640 WORDPRESS "WordPress" Web ["wordpress.com", "wordpress.org", "wp.com", "gravatar.com"];
    1641 YAHOO "Yahoo" Web [
        "yahoo.com", "yimg.com", "yahooapis.com", "yahoodns.net", "yahoo.co.jp", "yahoo.net",
        "yahoo.it", "ymail.com", "yahooinc.com", "yahoo.co.uk",
    ];
    1642 DUCKDUCKGO "DuckDuckGo" Web ["duckduckgo.com", "ddg.gg", "duck.com"];
    1643 BAIDU "Baidu" Web [
        "baidu.com", "bdstatic.com", "bdimg.com", "baidustatic.com", "bcebos.com",
    ];
    1644 YANDEX "Yandex" Web [
        "yandex.ru", "yandex.com", "yandex.net", "yandex.kz", "yandex.by", "yandex.ua", "yandex.st",
        "yastatic.net", "ya.ru", "yandex.com.tr", "yandex.uz", "yandex.md", "yandexadexchange.net",
    ];
    1645 NAVER "Naver" Web ["naver.com", "pstatic.net", "naver.net", "navercorp.com"];
    1646 MAIL_RU "MailRu" Email ["mail.ru", "imgsmail.ru", "my.com"];
    1647 YANDEX_MAIL "YandexMail" Email [
        "mail.yandex.ru", "mail.yandex.com", "mail.yandex.kz", "mail.yandex.net", "mail.yandex.by",
    ];
    1648 YANDEX_MARKET "YandexMarket" Shopping [
        "market.yandex.ru", "market.yandex.com", "market.yandex.net",
    ];
    1649 YANDEX_METRIKA "YandexMetrika" Advertisement [
        "metrika.yandex.ru", "metrika.yandex.com", "metrika.yandex.kz", "mc.yandex.ru",
        "mc.yandex.com",
    ];
    1650 YANDEX_DIRECT "YandexDirect" Advertisement [
        "direct.yandex.ru", "direct.yandex.com", "direct.yandex.kz", "an.yandex.ru", "bs.yandex.ru",
    ];
    1651 YANDEX_CLOUD "YandexCloud" Cloud [
        "cloud.yandex.ru", "cloud.yandex.com", "yandexcloud.net", "cloud.yandex.net",
        "yandex.cloud",
    ];
    1652 PROTON_MAIL "ProtonMail" Email ["protonmail.com", "protonmail.ch", "proton.me", "pm.me"];
    1653 TUTANOTA "Tuta" Email ["tutanota.com", "tuta.com"];
    1654 GMX "GMX" Email ["gmx.net", "gmx.com", "gmx.de", "web.de"];
    1655 AOL "AOL" Web ["aol.com", "aolcdn.com"];
    1656 NETEASE "NetEase" Web ["163.com", "126.net", "126.com", "netease.com", "127.net"];
    1657 QIHOO360 "Qihoo360" Web ["360.cn", "qhimg.com", "so.com", "360.com", "qhres.com"];
    1658 GODADDY "GoDaddy" Web ["godaddy.com", "secureserver.net", "wsimg.com"];
    1659 ARCHIVE_ORG "InternetArchive" Education ["archive.org"];
    1660 SPEEDTEST "Ookla" Network [
        "speedtest.net", "ookla.com", "ooklaserver.net", "speedtestcustom.com",
    ];
    1661 UNSPLASH "Unsplash" Media ["unsplash.com"];
    1662 NTOP "ntop" Network ["ntop.org"];
    1663 SOHU "Sohu" Web ["sohu.com", "sohucs.com"];
    1664 HACKER_NEWS "HackerNews" News ["ycombinator.com"];

    // Artificial intelligence.
    1700 CHATGPT "ChatGPT" ArtificialIntelligence [
        "openai.com", "chatgpt.com", "oaistatic.com", "oaiusercontent.com", "sora.com",
    ];
    1701 CLAUDE "Claude" ArtificialIntelligence [
        "anthropic.com", "claude.ai", "claude.com", "claudeusercontent.com",
    ];
    1702 PERPLEXITY "Perplexity" ArtificialIntelligence ["perplexity.ai", "pplx.ai"];
    1703 HUGGING_FACE "HuggingFace" ArtificialIntelligence ["huggingface.co", "hf.co", "hf.space"];
    1704 DEEPSEEK "DeepSeek" ArtificialIntelligence ["deepseek.com"];
    1705 MISTRAL "Mistral" ArtificialIntelligence ["mistral.ai"];
    1706 GROK "Grok" ArtificialIntelligence ["x.ai", "grok.com"];
    1707 CHARACTER_AI "CharacterAI" ArtificialIntelligence ["character.ai"];
    1708 MIDJOURNEY "Midjourney" ArtificialIntelligence ["midjourney.com"];
    1709 QWEN "Qwen" ArtificialIntelligence ["qwen.ai", "chat.qwenlm.ai", "tongyi.aliyun.com"];
    1710 KIMI "Kimi" ArtificialIntelligence ["moonshot.cn", "kimi.com"];
    1711 DEEPL "DeepL" ArtificialIntelligence ["deepl.com"];
    1712 ELEVENLABS "ElevenLabs" ArtificialIntelligence ["elevenlabs.io"];

    // Virtual private networks and remote help.
    1740 NORDVPN "NordVPN" Vpn ["nordvpn.com", "nordcdn.com", "nordvpn.org", "nordaccount.com"];
    1741 SURFSHARK "SurfShark" Vpn ["surfshark.com", "shark-china.com"];
    1742 PROTON_VPN "ProtonVPN" Vpn [
        "protonvpn.com", "protonvpn.ch", "protonvpn.net", "vpn-api.proton.me",
    ];
    1743 EXPRESS_VPN "ExpressVPN" Vpn ["expressvpn.com", "expressapisv2.net", "xvservice.net"];
    1744 MULLVAD "Mullvad" Vpn ["mullvad.net"];
    1745 WINDSCRIBE "Windscribe" Vpn ["windscribe.com", "windscribe.net"];
    1746 TUNNEL_BEAR "TunnelBear" Vpn [
        "tunnelbear.com", "polargrizzly.com", "lazerpenguin.com", "tunnelbear.net",
    ];
    1747 PRIVATE_INTERNET_ACCESS "PrivateInternetAccess" Vpn [
        "privateinternetaccess.com", "piaservers.net", "privacy.network", "piaproxy.net",
    ];
    1748 CYBERGHOST "CyberGhost" Vpn ["cyberghostvpn.com", "cyberghost.ro"];
    1749 HOTSPOT_SHIELD "HotspotShield" Vpn ["hotspotshield.com", "anchorfree.com", "hsselite.com"];
    1750 PSIPHON "Psiphon" Vpn ["psiphon.ca", "psiphon3.com", "psiphontoday.com"];
    1751 OPERA_VPN "Opera" Web ["opera.com", "operacdn.com", "opera-api.com", "opera.software"];
    1752 LANTERN "Lantern" Vpn ["getlantern.org", "lantern.io"];
    1753 IVPN "IVPN" Vpn ["ivpn.net"];
    1754 SPLASHTOP "Splashtop" RemoteAccess ["splashtop.com"];
    1755 CONNECTWISE "ConnectWise" RemoteAccess [
        "screenconnect.com", "connectwise.com", "itsupport247.net",
    ];
    1756 RUSTDESK "RustDesk" RemoteAccess ["rustdesk.com"];
    1757 PARSEC "Parsec" RemoteAccess ["parsec.app", "parsecgaming.com"];
    1758 NGROK "ngrok" RemoteAccess ["ngrok.com", "ngrok.io", "ngrok.app", "ngrok-free.app"];
    1759 HIDE_MY_ASS "HideMyAss" Vpn ["hidemyass.com", "hma.rocks"];
    1760 IPVANISH "IPVanish" Vpn ["ipvanish.com"];

    // Security products.
    1780 AVAST "Avast" System ["avast.com", "avcdn.net", "avast.ru"];
    1781 KASPERSKY "Kaspersky" System ["kaspersky.com", "kaspersky-labs.com", "kaspersky.ru"];
    1782 NORTON "Norton" System [
        "norton.com", "symantec.com", "symantecliveupdate.com", "nortonlifelock.com",
    ];
    1783 MCAFEE "McAfee" System ["mcafee.com", "mcafeesecure.com", "trellix.com"];
    1784 BITDEFENDER "Bitdefender" System ["bitdefender.com", "bitdefender.net"];
    1785 ESET "ESET" System ["eset.com", "eset.sk", "e5.sk"];
    1786 CROWDSTRIKE "CrowdStrike" System ["crowdstrike.com", "cloudsink.net"];
    1787 ADGUARD "AdGuard" System ["adguard.com", "adtidy.org", "adguard.app"];
    1788 ZSCALER "Zscaler" System ["zscaler.com", "zscaler.net", "zscloud.net", "zscalertwo.net"];
    1789 LASTPASS "LastPass" System ["lastpass.com"];
    1790 ONE_PASSWORD "1Password" System [
        "1password.com", "1password.eu", "1passwordusercontent.com",
    ];
    1791 BITWARDEN "Bitwarden" System ["bitwarden.com", "bitwarden.net"];
    1792 LETS_ENCRYPT "LetsEncrypt" Network ["letsencrypt.org", "lencr.org"];
    1793 AVIRA "Avira" System ["avira.com", "avira-update.com"];
    1794 MALWAREBYTES "Malwarebytes" System ["malwarebytes.com", "mwbsys.com"];
    1795 ABUSE_CH "AbuseCh" System ["abuse.ch"];

    // Devices and things.
    1820 XIAOMI "Xiaomi" IotScada [
        "xiaomi.com", "xiaomi.net", "mi.com", "miui.com", "mi-img.com", "xiaomi.cn",
    ];
    1821 HUAWEI "Huawei" Web ["huawei.com", "huawei.ru", "hihonor.com", "honor.com", "vmall.com"];
    1822 SAMSUNG "Samsung" Web [
        "samsung.com", "samsungcloudsolution.com", "samsungcloud.com", "samsungapps.com",
        "samsungdm.com", "samsungosp.com", "samsungiotcloud.com", "samsungelectronics.com",
        "smartthings.com", "samsungqbe.com", "samsungcloudcdn.com", "samsungacr.com",
    ];
    1823 NEST "Nest" IotScada ["nest.com"];
    1824 TUYA "Tuya" IotScada ["tuya.com", "tuyaeu.com", "tuyaus.com", "tuyacn.com"];
    1825 PHILIPS_HUE "PhilipsHue" IotScada ["meethue.com", "philips-hue.com"];
    1826 TESLA "Tesla" IotScada ["tesla.com", "teslamotors.com", "tesla.services"];
    1827 LG "LG" IotScada [
        "lge.com", "lgtvsdp.com", "lgsmartad.com", "lgtvcommon.com", "lgappstv.com",
    ];
    1828 OPPO "Oppo" Web ["oppomobile.com", "heytapmobi.com", "heytapmobile.com", "heytapdl.com"];
    1829 TP_LINK "TP-Link" IotScada ["tplinkcloud.com", "tp-link.com", "tplinkra.com"];
    1830 UBIQUITI "Ubiquiti" Network ["ubnt.com", "ui.com"];
    1831 HP "HP" System ["hp.com", "hpeprint.com", "hpconnected.com"];
    1832 SYNOLOGY "Synology" System ["synology.com", "quickconnect.to", "synology.me"];
    1833 CISCO "Cisco" Network ["cisco.com", "umbrella.com", "opendns.com", "duosecurity.com"];
    1834 NVIDIA "NVIDIA" System ["nvidia.com", "nvidia.cn"];
    1835 INTEL "Intel" System ["intel.com"];
    1836 DELL "Dell" System ["dell.com", "delltechnologies.com"];
    1837 SONY "Sony" Web ["sony.com", "sony.net", "sonyliv.com"];

    // Advertising and measurement.
    1860 ADVERTISING "AdsAndTracking" Advertisement [
        "scorecardresearch.com", "newrelic.com", "nr-data.net", "adjust.com", "adjust.io",
        "criteo.com", "criteo.net", "taboola.com", "outbrain.com", "adnxs.com",
        "rubiconproject.com", "pubmatic.com", "openx.net", "casalemedia.com", "moatads.com",
        "adsrvr.org", "quantserve.com", "quantcount.com", "chartbeat.com", "chartbeat.net",
        "demdex.net", "omtrdc.net", "2o7.net", "everesttech.net", "bluekai.com", "krxd.net",
        "appsflyer.com", "branch.io", "mixpanel.com", "amplitude.com", "segment.io", "segment.com",
        "hotjar.com", "applovin.com", "applvn.com", "inmobi.com", "mopub.com", "flurry.com",
        "smaato.net", "smartadserver.com", "adform.net", "media.net", "bidswitch.net",
        "sharethrough.com", "yieldmo.com", "teads.tv", "spotxchange.com", "springserve.com",
        "vungle.com", "ironsrc.com", "supersonicads.com", "chartboost.com", "tapjoy.com",
        "adcolony.com", "startappservice.com", "flashtalking.com", "rlcdn.com", "crwdcntrl.net",
        "agkn.com", "mathtag.com", "exelator.com", "tapad.com", "addthis.com", "sharethis.com",
        "onetrust.com", "cookielaw.org", "optimizely.com", "kochava.com", "singular.net",
        "imrworldwide.com", "liadm.com", "zemanta.com", "serving-sys.com", "id5-sync.com",
        "33across.com", "gumgum.com", "lijit.com", "contextweb.com", "bounceexchange.com",
        "permutive.com",
    ];
    1861 SENTRY "Sentry" DevelopmentTools ["sentry.io", "sentry-cdn.com"];
    1862 BUGSNAG "Bugsnag" DevelopmentTools ["bugsnag.com"];
    1863 DATADOG "Datadog" DevelopmentTools [
        "datadoghq.com", "datadoghq.eu", "datadoghq-browser-agent.com",
    ];
    1864 BRAZE "Braze" Advertisement ["braze.com", "appboy.com", "appboy.eu", "braze.eu"];
    1865 QUALTRICS "Qualtrics" Productivity ["qualtrics.com"];
    1866 VPON "Vpon" Advertisement ["vpon.com"];
    1867 MINTEGRAL "Mintegral" Advertisement ["rayjump.com", "mintegral.com", "mtgglobals.com"];
    1868 LIFTOFF "Liftoff" Advertisement ["liftoff.io"];

    // Other.
    1900 ADULT_CONTENT "AdultContent" Adult [
        "pornhub.com", "phncdn.com", "xvideos.com", "xvideos-cdn.com", "xhamster.com", "xhcdn.com",
        "xnxx.com", "xnxx-cdn.com", "redtube.com", "rdtcdn.com", "youporn.com", "chaturbate.com",
        "stripchat.com", "stripcdn.com", "stripst.com", "onlyfans.com", "livejasmin.com",
        "spankbang.com", "bongacams.com", "tube8.com", "youjizz.com", "brazzers.com", "cam4.com",
    ];
}
