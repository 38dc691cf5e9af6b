//! Messengers, social networks, video, music, files and work: ids 1200 to 1499.

use super::services;

services! {
    // Messengers and calls.
    1200 TELEGRAM "Telegram" Chat [
        "telegram.org", "t.me", "telegram.me", "telegra.ph", "telesco.pe", "tdesktop.com",
        "telegram.dog", "telegram-cdn.org", "cdn-telegram.org", "comments.app", "stel.com", "tx.me",
    ];
    1201 SIGNAL "Signal" Chat [
        "signal.org", "whispersystems.org", "signal.me", "signal.group", "signal.art",
        "signal.tube",
    ];
    1202 DISCORD "Discord" Chat [
        "discord.com", "discord.gg", "discordapp.com", "discordapp.net", "discord.media",
        "discordstatus.com", "discord.co", "discord.dev", "discord.new", "discord.gift",
        "discordcdn.com", "discord-activities.com",
    ];
    1203 SLACK "Slack" Collaborative [
        "slack.com", "slack-edge.com", "slack-imgs.com", "slack-msgs.com", "slack-files.com",
        "slack-core.com", "slackb.com", "slack-redir.net",
    ];
    1204 ZOOM "Zoom" VoiceVideoCall [
        "zoom.us", "zoom.com", "zoom.com.cn", "zoomgov.com", "zmtr.us",
    ];
    1205 WEBEX "Webex" VoiceVideoCall [
        "webex.com", "wbx2.com", "ciscospark.com", "webexcontent.com", "webex.com.cn",
    ];
    1206 VIBER "Viber" VoiceVideoCall ["viber.com", "vibercdn.com"];
    1207 LINE "Line" Chat [
        "line.me", "line-scdn.net", "line-apps.com", "line.naver.jp", "line-cdn.net",
        "line-apps-beta.com", "linecorp.com", "lin.ee", "line.biz", "line-website.com",
        "nhncorp.jp",
    ];
    1208 WECHAT "WeChat" Chat [
        "wechat.com", "wx.qq.com", "wechatapp.com", "wechatpay.cn", "servicewechat.com",
        "wechatos.net", "weixinbridge.com", "weixin.com", "wx2.qq.com",
    ];
    1209 QQ "QQ" Chat [
        "qq.com", "qq.com.cn", "gtimg.cn", "gtimg.com", "qpic.cn", "qlogo.cn", "qstatic.com",
        "tenpay.com", "imqq.com", "idqqimg.com", "qcloud.com",
    ];
    1210 KAKAO_TALK "KakaoTalk" Chat [
        "kakao.com", "kakaocdn.net", "kakao.co.kr", "kakaocorp.com", "kakaoenterprise.com",
        "kakao-cdn.net",
    ];
    1211 THREEMA "Threema" Chat ["threema.ch", "threema.com"];
    1212 WIRE "Wire" Chat ["wire.com", "wire.link", "zinfra.io"];
    1213 GOTO_MEETING "GoTo" VoiceVideoCall [
        "gotomeeting.com", "goto.com", "citrixonline.com", "logmein.com", "getgo.com",
        "logmeininc.com", "expertcity.com", "gototraining.com", "gotowebinar.com",
    ];
    1214 JITSI "Jitsi" VoiceVideoCall ["jitsi.net", "jit.si", "jitsi.org", "8x8.vc"];
    1215 FUZE "Fuze" VoiceVideoCall ["fuze.com", "fuzemeeting.com", "thinkingphones.com"];
    1216 ADOBE_CONNECT "AdobeConnect" VoiceVideoCall ["adobeconnect.com", "acrobat.com"];
    1217 MATRIX "Matrix" Chat ["matrix.org", "element.io", "vector.im"];
    1218 DINGTALK "DingTalk" Chat ["dingtalk.com", "dingtalkapps.com", "dingtalk.net"];
    1220 ZALO "Zalo" Chat ["zalo.me", "zaloapp.com", "zalo.vn", "zadn.vn", "zdn.vn"];
    1221 RINGCENTRAL "RingCentral" VoiceVideoCall ["ringcentral.com", "ringcentral.biz"];
    1222 BLUEJEANS "BlueJeans" VoiceVideoCall ["bluejeans.com"];
    1225 MATTERMOST "Mattermost" Collaborative ["mattermost.com", "mattermost.org"];
    1226 KIK "Kik" Chat ["kik.com", "kikinteractive.com"];

    // Social networks and communities.
    1260 TWITTER "Twitter" SocialNetwork [
        "twitter.com", "twimg.com", "t.co", "x.com", "twttr.com", "twttr.net", "periscope.tv",
        "pscp.tv", "twtrdns.net", "ads-twitter.com", "tweetdeck.com",
    ];
    1261 TIKTOK "TikTok" SocialNetwork [
        "tiktok.com", "tiktokv.com", "tiktokcdn.com", "tiktokcdn-us.com", "tiktokv.us",
        "tiktokw.us", "musical.ly", "muscdn.com", "ttwstatic.com", "tiktokcdn-eu.com",
        "tiktokd.net", "tiktokd.org", "tiktokw.eu", "tiktokv.eu",
    ];
    1262 REDDIT "Reddit" SocialNetwork [
        "reddit.com", "redd.it", "redditmedia.com", "redditstatic.com", "reddituploads.com",
        "redditinc.com", "redditspace.com",
    ];
    1263 SNAPCHAT "Snapchat" SocialNetwork [
        "snapchat.com", "snap.com", "sc-cdn.net", "snapkit.com", "snapkit.co", "sc-static.net",
        "snapads.com", "sc-jpl.com", "sc-gw.com", "snap-dev.net", "addlive.io", "bitmoji.com",
        "feelinsonice-hrd.appspot.com", "feelinsonice.appspot.com", "snap-storage.net",
        "sc-prod.net",
    ];
    1264 PINTEREST "Pinterest" SocialNetwork [
        "pinterest.com", "pinimg.com", "pinterest.fr", "pinterest.de", "pinterest.it",
        "pinterest.es", "pinterest.co.uk", "pinterest.jp", "pinterest.ca", "pinterest.ru",
        "pinterest.at", "pinterest.ch", "pinterest.com.au", "pinterest.com.mx", "pinterest.pt",
        "pinterest.se", "pin.it",
    ];
    1265 TUMBLR "Tumblr" SocialNetwork ["tumblr.com", "tmblr.co"];
    1266 VK "VK" SocialNetwork [
        "vk.com", "vk.me", "vk.ru", "userapi.com", "vkuservideo.net", "vk-cdn.net", "vkontakte.ru",
        "vkuser.net", "vkuserlive.net", "vkuseraudio.net", "vk-portal.net", "vk.cc", "vk-apps.com",
        "mycdn.me", "vkvideo.ru",
    ];
    1267 MASTODON "Mastodon" SocialNetwork [
        "mastodon.social", "mastodon.online", "joinmastodon.org", "mstdn.social", "mastodon.world",
        "mas.to", "fosstodon.org", "mstdn.jp", "pawoo.net", "mastodon.cloud", "hachyderm.io",
        "infosec.exchange",
    ];
    1268 BLUESKY "Bluesky" SocialNetwork ["bsky.app", "bsky.social", "bsky.network", "atproto.com"];
    1269 QUORA "Quora" SocialNetwork ["quora.com", "quoracdn.net"];
    1270 BADOO "Badoo" SocialNetwork ["badoo.com", "badoocdn.com", "bdmstatic.com"];
    1271 TINDER "Tinder" SocialNetwork ["tinder.com", "gotinder.com", "tindersparks.com"];
    1272 BUMBLE "Bumble" SocialNetwork ["bumble.com"];
    1273 WEIBO "Weibo" SocialNetwork ["weibo.com", "weibo.cn", "sinaimg.cn", "weibocdn.com"];
    1274 SINA "Sina" Web ["sina.com", "sina.com.cn", "sina.cn"];
    1275 MEDIUM "Medium" News ["medium.com"];
    1276 ODNOKLASSNIKI "Odnoklassniki" SocialNetwork ["ok.ru", "odnoklassniki.ru", "okcdn.ru"];
    1277 TRUTH_SOCIAL "TruthSocial" SocialNetwork ["truthsocial.com"];
    1278 LIKEE "Likee" SocialNetwork [
        "like.video", "likee.video", "likee.com", "like-video.com", "likeevideo.com",
    ];
    1279 FLICKR "Flickr" SocialNetwork ["flickr.com", "staticflickr.com"];
    1280 IMGUR "Imgur" SocialNetwork ["imgur.com", "imgur.io"];
    1281 STACK_OVERFLOW "StackExchange" DevelopmentTools [
        "stackoverflow.com", "stackexchange.com", "sstatic.net", "serverfault.com", "superuser.com",
        "askubuntu.com",
    ];
    1282 DOUBAN "Douban" SocialNetwork ["douban.com", "doubanio.com"];
    1283 XIAOHONGSHU "Xiaohongshu" SocialNetwork ["xiaohongshu.com", "xhscdn.com", "xhslink.com"];
    1284 GRINDR "Grindr" SocialNetwork ["grindr.com", "grindr.io", "grindr.mobi"];
    1285 NEXTDOOR "Nextdoor" SocialNetwork ["nextdoor.com"];
    1286 STRAVA "Strava" Health ["strava.com"];

    // Video.
    1320 NETFLIX "Netflix" Streaming [
        "netflix.com", "netflix.net", "nflxext.com", "nflximg.com", "nflximg.net", "nflxsearch.net",
        "nflxso.net", "nflxvideo.net", "netflixdnstest0.com", "netflixdnstest1.com", "fast.com",
        "netflixinvestor.com", "netflixtechblog.com", "nflxstatus.com",
    ];
    1321 DISNEY_PLUS "DisneyPlus" Streaming [
        "disneyplus.com", "disney-plus.net", "dssott.com", "bamgrid.com", "disneystreaming.com",
        "dssedge.com",
    ];
    1322 HULU "Hulu" Streaming ["hulu.com", "hulustream.com", "huluim.com", "huluad.com"];
    1323 MAX "HBO" Streaming [
        "hbo.com", "hbomax.com", "hbomaxcdn.com", "hbogo.com", "hbonow.com", "max.com", "hbomax.tv",
    ];
    1324 VIMEO "Vimeo" Video ["vimeo.com", "vimeocdn.com", "livestream.com", "vimeo.tv"];
    1325 DAILYMOTION "Dailymotion" Video ["dailymotion.com", "dmcdn.net", "dm-event.net", "dai.ly"];
    1326 PARAMOUNT_PLUS "ParamountPlus" Streaming [
        "paramountplus.com", "cbsaavideo.com", "cbsivideo.com", "pplusstatic.com",
    ];
    1327 PEACOCK "Peacock" Streaming ["peacocktv.com"];
    1328 DAZN "Dazn" Streaming [
        "dazn.com", "dazn-api.com", "indazn.com", "dazndn.com", "dazncdn.com",
    ];
    1329 CRUNCHYROLL "Crunchyroll" Streaming ["crunchyroll.com", "vrv.co"];
    1330 PLUTO_TV "PlutoTV" Streaming ["pluto.tv", "plutotv.net"];
    1331 TUBI "TubiTV" Streaming ["tubi.io", "tubi.tv", "tubitv.com"];
    1332 ROKU "Roku" Streaming ["roku.com", "rokucdn.com"];
    1333 SLING "SlingTV" Streaming ["sling.com", "movetv.com"];
    1334 BILIBILI "Bilibili" Video [
        "bilibili.com", "bilivideo.com", "hdslb.com", "biliapi.net", "biliapi.com", "bilibili.tv",
        "bilivideo.cn", "acgvideo.com",
    ];
    1335 IQIYI "iQIYI" Streaming [
        "iqiyi.com", "iqiyipic.com", "iq.com", "qiyi.com", "qy.net", "ppstream.com", "71.am",
        "qiyipic.com", "iqiyi.cn",
    ];
    1336 TENCENT_VIDEO "TencentVideo" Streaming [
        "v.qq.com", "video.qq.com", "wetv.vip", "wetvinfo.com", "wetv.qq.com",
    ];
    1337 YOUKU "Youku" Streaming ["youku.com", "ykimg.com", "tudou.com"];
    1338 ONE_KXUN "1kxun" Streaming ["1kxun.com", "1kxun.mobi", "1kxun.net"];
    1339 ZATTOO "Zattoo" Video ["zattoo.com", "zattic.com", "zattoo.dev"];
    1340 OCS "OCS" Streaming ["ocs.fr", "labgency.ws"];
    1341 IFLIX "IFLIX" Streaming ["iflix.com", "images-iflix.com", "iflix.io"];
    1342 VUDU "Vudu" Streaming ["vudu.com"];
    1343 RAKUTEN_TV "RakutenTV" Streaming ["rakuten.tv", "wuaki.tv"];
    1344 SKY "Sky" Streaming ["sky.com", "skycdp.com", "nowtv.com", "nowtv.it", "skyitalia.it"];
    1345 BBC "BBC" News [
        "bbc.com", "bbc.co.uk", "bbci.co.uk", "bbc.in", "bbcverticals.com", "bbc.net.uk",
    ];
    1346 RAI "RaiPlay" Streaming ["rai.it", "raiplay.it", "raiplaysound.it"];
    1347 CANAL_PLUS "CanalPlus" Streaming ["canalplus.com", "canal-plus.com", "canal-plus.net"];
    1348 VIKI "Viki" Streaming ["viki.com", "viki.io"];
    1349 TED "TED" Education ["ted.com", "tedcdn.com"];
    1350 PLEX "Plex" Media ["plex.tv", "plex.direct", "plexapp.com"];
    1351 KICK "Kick" Video ["kick.com"];
    1352 RUMBLE "Rumble" Video ["rumble.com", "rmbl.ws"];
    1353 ABEMA "Abema" Streaming ["abema.tv", "abema.io", "hayabusa.io"];
    1354 NICONICO "Niconico" Video ["nicovideo.jp", "nimg.jp", "dmc.nico"];
    1355 HOTSTAR "Hotstar" Streaming ["hotstar.com", "hotstarext.com", "jiohotstar.com"];
    1356 VEVO "Vevo" Music ["vevo.com"];
    1357 MX_PLAYER "MXPlayer" Streaming ["mxplayer.in"];
    1358 BRIGHTCOVE "Brightcove" Media [
        "brightcove.com", "brightcove.net", "boltdns.net", "bcovlive.io",
    ];
    1359 JW_PLAYER "JWPlayer" Media ["jwplayer.com", "jwpcdn.com", "jwplatform.com", "jwpltx.com"];

    // Music and radio.
    1400 SPOTIFY "Spotify" Music [
        "spotify.com", "scdn.co", "spotifycdn.com", "spotifycdn.net", "spotify.net", "spoti.fi",
        "pscdn.co", "spotify.link", "byspotify.com", "spotilocal.com",
    ];
    1401 DEEZER "Deezer" Music ["deezer.com", "dzcdn.net", "deezer.page.link"];
    1402 SOUNDCLOUD "SoundCloud" Music ["soundcloud.com", "sndcdn.com", "soundcloud.cloud"];
    1403 PANDORA "Pandora" Music ["pandora.com", "p-cdn.us", "p-cdn.com", "savagebeast.com"];
    1404 TIDAL "Tidal" Music ["tidal.com", "tidalhifi.com", "tidal.network"];
    1405 LAST_FM "LastFM" Music ["last.fm", "lastfm.freetls.fastly.net", "audioscrobbler.com"];
    1406 SIRIUS_XM "SiriusXM" Music ["siriusxm.com", "siriusxm.ca"];
    1407 TUNEIN "TuneIn" Music ["tunein.com", "radiotime.com"];
    1408 SHAZAM "Shazam" Music ["shazam.com", "shazamid.com"];
    1409 BANDCAMP "Bandcamp" Music ["bandcamp.com", "bcbits.com"];
    1410 QOBUZ "Qobuz" Music ["qobuz.com"];
    1411 IHEART "iHeartRadio" Music ["iheart.com", "iheartradio.com", "ihrhls.com"];
    1412 SONOS "Sonos" Music ["sonos.com"];
    1413 NETEASE_MUSIC "NetEaseMusic" Music ["music.163.com", "music.126.net"];
    1414 YANDEX_MUSIC "YandexMusic" Music [
        "music.yandex.ru", "music.yandex.com", "music.yandex.kz", "music.yandex.by",
        "music.yandex.net",
    ];

    // Files, notes and work.
    1440 DROPBOX "Dropbox" Cloud [
        "dropbox.com", "dropboxstatic.com", "dropboxapi.com", "dropboxusercontent.com",
        "getdropbox.com", "dropbox-dns.com", "dropboxcaptcha.com", "db.tt", "dropbox.tech",
        "dropboxforum.com", "dropboxinsiders.com",
    ];
    1441 BOX "Box" Cloud ["box.com", "boxcdn.net", "boxcloud.com", "box.net"];
    1442 MEGA "Mega" Cloud ["mega.nz", "mega.co.nz", "mega.io"];
    1443 WETRANSFER "WeTransfer" FileSharing ["wetransfer.com", "wetransfer.net", "we.tl"];
    1444 PCLOUD "pCloud" Cloud ["pcloud.com", "pcloud.link"];
    1445 MEDIAFIRE "MediaFire" FileSharing ["mediafire.com"];
    1446 EVERNOTE "Evernote" Productivity ["evernote.com"];
    1447 NOTION "Notion" Productivity [
        "notion.so", "notion.com", "notion.site", "notion-static.com",
    ];
    1448 TRELLO "Trello" Productivity ["trello.com", "trellocdn.com"];
    1449 ATLASSIAN "Atlassian" Productivity [
        "atlassian.com", "atlassian.net", "atl-paas.net", "jira.com", "statuspage.io",
        "atlassian-dev.net",
    ];
    1450 BITBUCKET "Bitbucket" DevelopmentTools ["bitbucket.org", "bitbucket.io"];
    1451 GITLAB "GitLab" DevelopmentTools [
        "gitlab.com", "gitlab.io", "gitlab-static.net", "gitlab.net",
    ];
    1452 ASANA "Asana" Productivity ["asana.com"];
    1453 ADOBE "Adobe" Productivity [
        "adobe.com", "adobe.io", "adobedtm.com", "adobelogin.com", "typekit.net", "typekit.com",
        "behance.net", "adobess.com", "adobecc.com", "photoshop.com", "adobejanus.com",
    ];
    1454 CANVA "Canva" Productivity ["canva.com", "canva-apps.com", "canva.cn"];
    1455 FIGMA "Figma" Productivity ["figma.com"];
    1456 DOCKER "Docker" DevelopmentTools ["docker.com", "docker.io"];
    1459 UBUNTU "Ubuntu" SoftwareUpdate [
        "ubuntu.com", "canonical.com", "snapcraft.io", "snapcraftcontent.com", "launchpad.net",
    ];
    1460 DEBIAN "Debian" SoftwareUpdate ["debian.org", "debian.net"];
    1461 PASTEBIN "Pastebin" FileSharing ["pastebin.com"];
    1462 GRAMMARLY "Grammarly" Productivity ["grammarly.com", "grammarly.io", "grammarly.net"];
    1463 ZENDESK "Zendesk" Productivity [
        "zendesk.com", "zdassets.com", "zopim.com", "zdusercontent.com",
    ];
    1464 SERVICENOW "ServiceNow" Productivity ["service-now.com", "servicenow.com"];
    1465 HUBSPOT "HubSpot" Productivity [
        "hubspot.com", "hs-scripts.com", "hubapi.com", "hsforms.com", "hs-analytics.net",
        "hubspot.net", "hsforms.net",
    ];
    1466 DOCUSIGN "DocuSign" Productivity ["docusign.com", "docusign.net"];
    1467 WORKDAY "Workday" Productivity ["workday.com", "myworkday.com", "myworkdayjobs.com"];
    1468 OKTA "Okta" System ["okta.com", "oktacdn.com", "okta-emea.com", "auth0.com"];
    1469 YANDEX_DISK "YandexDisk" Cloud [
        "disk.yandex.ru", "disk.yandex.com", "disk.yandex.kz", "disk.yandex.net", "yadi.sk",
    ];
    1470 BAIDU_PAN "BaiduPan" Cloud ["pan.baidu.com", "baidupcs.com"];
    1471 RUBYGEMS "RubyGems" DevelopmentTools ["rubygems.org"];
    1472 FEDORA "Fedora" SoftwareUpdate ["fedoraproject.org", "redhat.com"];
    1473 MOZILLA "Mozilla" Web [
        "mozilla.org", "mozilla.com", "mozilla.net", "firefox.com", "mozaws.net", "mozgcp.net",
        "firefox.org", "mozillademos.org", "allizom.org",
    ];
}
