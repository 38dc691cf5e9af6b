//! The services: id, name, category, and the domains by which each is known. A domain stands for
//! itself and everything below it; the longest that fits wins. Ids are stable and never reused.
//!
//! Domains are facts that the services publish (their own documents on what to let through a
//! firewall, and their sites).

use super::services;

services! {
    // Google.
    1000 GOOGLE "Google" Web [
        "google.com", "google.ad", "google.ae", "google.at", "google.be", "google.bg", "google.by",
        "google.ca", "google.ch", "google.cl", "google.co.id", "google.co.il", "google.co.in",
        "google.co.jp", "google.co.ke", "google.co.kr", "google.co.nz", "google.co.th",
        "google.co.uk", "google.co.za", "google.com.ar", "google.com.au", "google.com.br",
        "google.com.co", "google.com.eg", "google.com.hk", "google.com.mx", "google.com.my",
        "google.com.ng", "google.com.pe", "google.com.ph", "google.com.pk", "google.com.sa",
        "google.com.sg", "google.com.tr", "google.com.tw", "google.com.ua", "google.com.vn",
        "google.cz", "google.de", "google.dk", "google.es", "google.fi", "google.fr", "google.gr",
        "google.hr", "google.hu", "google.ie", "google.it", "google.lt", "google.lu", "google.lv",
        "google.nl", "google.no", "google.pl", "google.pt", "google.ro", "google.rs", "google.ru",
        "google.se", "google.si", "google.sk", "gstatic.com", "1e100.net", "googleusercontent.com",
        "goo.gl", "g.co", "withgoogle.com", "recaptcha.net", "app-measurement.com",
        "google-analytics.com", "googlesyndication.com", "googleadservices.com", "doubleclick.net",
        "2mdn.net", "ampproject.org", "gvt1.com", "gvt2.com", "gvt3.com",
        "connectivitycheck.android.com", "admob.com", "gmodules.com", "urchin.com", "google",
        "ggpht.com", "chrome.com", "chromium.org",
    ];
    1001 GOOGLE_SERVICES "GoogleServices" Web [
        "googleapis.com", "mtalk.google.com", "alt1-mtalk.google.com", "alt2-mtalk.google.com",
        "alt3-mtalk.google.com", "alt4-mtalk.google.com", "alt5-mtalk.google.com",
        "alt6-mtalk.google.com", "alt7-mtalk.google.com", "alt8-mtalk.google.com",
        "googletagmanager.com", "googletagservices.com", "firebase.com", "firebaseio.com",
        "firebaseapp.com", "app.goo.gl",
    ];
    1002 YOUTUBE "YouTube" Media [
        "youtube.com", "ytimg.com", "googlevideo.com", "youtu.be", "youtube-nocookie.com",
        "yt3.ggpht.com", "yt4.ggpht.com", "youtubei.googleapis.com", "youtubekids.com",
        "youtubeeducation.com", "youtube-ui.l.google.com", "wide-youtube.l.google.com", "yt.be",
        "yt3.googleusercontent.com", "youtube.googleapis.com",
    ];
    1003 YOUTUBE_UPLOAD "YouTubeUpload" Media ["upload.youtube.com", "upload.video.google.com"];
    1004 GMAIL "Gmail" Email [
        "mail.google.com", "gmail.com", "googlemail.com", "googlemail.l.google.com",
        "inbox.google.com", "gmail.googleapis.com",
    ];
    1005 GOOGLE_MAPS "GoogleMaps" Web [
        "maps.google.com", "maps.gstatic.com", "maps.googleapis.com", "khms.google.com",
        "mapsengine.google.com", "earth.google.com", "khms0.google.com", "khms1.google.com",
    ];
    1006 GOOGLE_DRIVE "GoogleDrive" Cloud [
        "drive.google.com", "googledrive.com", "drive.usercontent.google.com",
        "drivefrontend-pa.googleapis.com", "content.googleapis.com",
    ];
    1007 GOOGLE_DOCS "GoogleDocs" Collaborative [
        "docs.google.com", "sheets.google.com", "slides.google.com", "spreadsheets.google.com",
        "writely.com", "sites.google.com",
    ];
    1008 GOOGLE_MEET "GoogleMeet" VoiceVideoCall ["meet.google.com", "meetings.googleapis.com"];
    1009 GOOGLE_CHAT "GoogleChat" Chat [
        "chat.google.com", "hangouts.clients6.google.com", "chat-pa.clients6.google.com",
    ];
    1010 GOOGLE_CLASSROOM "GoogleClassroom" Education ["classroom.google.com"];
    1011 GOOGLE_CLOUD "GoogleCloud" Cloud [
        "cloud.google.com", "run.app", "appspot.com", "cloudfunctions.net", "gcr.io",
        "storage.googleapis.com", "compute.googleapis.com", "bc.googleusercontent.com",
    ];
    1012 PLAY_STORE "PlayStore" SoftwareUpdate [
        "android.clients.google.com", "play.app.goo.gl", "play-lh.googleusercontent.com",
        "market.android.com",
    ];
    1013 DATA_SAVER "DataSaver" Web ["googlezip.net", "datasaver.googleapis.com"];
    1015 CRASHLYTICS "Crashlytics" System ["crashlytics.com"];
    1016 GEMINI "Gemini" ArtificialIntelligence [
        "gemini.google.com", "bard.google.com", "generativelanguage.googleapis.com",
        "aistudio.google.com",
    ];
    1017 WAZE "Waze" Travel ["waze.com"];
    1018 BLOGGER "Blogger" SocialNetwork ["blogger.com", "blogspot.com", "blogblog.com"];

    // Meta.
    1040 FACEBOOK "Facebook" SocialNetwork [
        "facebook.com", "facebook.net", "fbcdn.net", "fb.com", "fbsbx.com", "fb.me", "meta.com",
        "internet.org", "fb.gg", "facebook.it", "tfbnw.net", "fb.watch", "fbpigeon.com",
        "fb.careers",
    ];
    1041 MESSENGER "FacebookMessenger" Chat [
        "messenger.com", "m.me", "mqtt-mini.facebook.com", "edge-mqtt.facebook.com",
        "edge-chat.facebook.com", "edge-chat.messenger.com", "msngr.com",
    ];
    1042 INSTAGRAM "Instagram" SocialNetwork [
        "instagram.com", "cdninstagram.com", "ig.me", "instagr.am", "instagram.c10r.facebook.com",
        "ig.com",
    ];
    1043 WHATSAPP "WhatsApp" Chat ["whatsapp.com", "whatsapp.net", "wa.me"];
    1044 WHATSAPP_FILES "WhatsAppFiles" FileTransfer [
        "mmg.whatsapp.net", "mmg-fna.whatsapp.net", "mmi.whatsapp.net", "cdn.whatsapp.net",
        "mms.whatsapp.net",
    ];
    1045 THREADS "Threads" SocialNetwork ["threads.net", "threads.com"];
    1046 OCULUS "MetaQuest" Game ["oculus.com", "oculuscdn.com", "meta-quest.com"];
    1047 FACEBOOK_VIDEO "FacebookVideo" Video ["video.xx.fbcdn.net"];
    1048 META_AI "MetaAI" ArtificialIntelligence ["meta.ai"];

    // Microsoft.
    1060 MICROSOFT "Microsoft" Web [
        "microsoft.com", "microsoft.net", "bing.com", "bing.net", "msn.com", "msn.net", "msads.net",
        "live.com", "live.net", "windows.com", "windows.net", "s-microsoft.com", "appcenter.ms",
        "trafficmanager.net", "msftconnecttest.com", "msftncsi.com", "gfx.ms", "aspnetcdn.com",
        "passport.net", "microsofttranslator.com", "msecnd.net", "virtualearth.net",
        "applicationinsights.io", "onedrive.com", "msedge.net", "visualstudio.com", "vsassets.io",
        "msauth.net", "msftauth.net", "msidentity.com", "windowsphone.com", "bingapis.com",
        "clarity.ms", "microsoft",
    ];
    1061 MICROSOFT_365 "Microsoft365" Collaborative [
        "office.com", "office.net", "office365.com", "microsoftonline.com", "microsoftonline-p.com",
        "microsoftonline-p.net", "onmicrosoft.com", "o365weve.com", "cloud.microsoft",
        "officeapps.live.com", "sharepointonline.com", "svc.ms", "microsoft365.com",
        "osi.office.net", "onenote.com", "onenote.net", "yammer.com", "powerapps.com",
        "powerautomate.com", "assets-yammer.com", "officecdn.microsoft.com",
    ];
    1062 OUTLOOK "Outlook" Email [
        "outlook.com", "hotmail.com", "outlook.live.com", "mail.live.com", "smtp.office365.com",
        "imap-mail.outlook.com",
    ];
    1063 ONEDRIVE "OneDrive" Cloud [
        "onedrive.live.com", "1drv.com", "1drv.ms", "storage.live.com", "skydrive.live.com",
        "docs.live.net", "livefilestore.com", "skydriveapi.live.com", "oneclient.sfx.ms",
        "files.1drv.com", "api.onedrive.com", "g.live.com",
    ];
    1064 TEAMS "Teams" Collaborative [
        "teams.microsoft.com", "teams.live.com", "teams.skype.com", "teams.office.com",
        "teams.office.net", "teams-msgapi.trafficmanager.net", "teams.cdn.office.net",
        "teams.events.data.microsoft.com", "teams.cloud.microsoft",
        "c-flightproxy-euno-01-teams.cloudapp.net", "svcs.teams.office.com",
    ];
    1065 SKYPE "Skype" VoiceVideoCall [
        "skype.com", "skype.net", "skypeassets.com", "lync.com", "skypeforbusiness.com",
        "sfbassets.com", "skypecdn.akadns.net", "skypedata.akadns.net", "asm.skype.com",
        "trouter.io", "microsoftstream.com", "hockeyapp.net", "skypeecs.net",
    ];
    1066 AZURE "Azure" Cloud [
        "azure.com", "azure.net", "azurewebsites.net", "azureedge.net", "azurefd.net",
        "core.windows.net", "cloudapp.azure.com", "cloudapp.net", "windowsazure.com",
        "azure-api.net", "azure-dns.com", "azurecr.io", "database.windows.net", "azure-devices.net",
        "servicebus.windows.net", "azure-automation.net", "azuredatabricks.net",
    ];
    1067 XBOX "Xbox" Game [
        "xbox.com", "xboxlive.com", "xboxservices.com", "xboxab.com", "gamepass.com", "xbox.live",
    ];
    1068 WINDOWS_UPDATE "WindowsUpdate" SoftwareUpdate [
        "windowsupdate.com", "update.microsoft.com", "delivery.mp.microsoft.com",
        "windowsupdate.nsatc.net", "download.microsoft.com", "wustat.windows.com",
        "ntservicepack.microsoft.com", "do.dsp.mp.microsoft.com",
    ];
    1069 LINKEDIN "LinkedIn" SocialNetwork ["linkedin.com", "licdn.com", "lnkd.in", "linkedin.cn"];
    1070 GITHUB "GitHub" DevelopmentTools [
        "github.com", "githubusercontent.com", "githubassets.com", "github.io", "ghcr.io",
        "github.dev", "githubapp.com", "git.io", "github.blog",
    ];
    1071 COPILOT "Copilot" ArtificialIntelligence [
        "copilot.microsoft.com", "githubcopilot.com", "copilot.cloud.microsoft", "sydney.bing.com",
        "copilot-proxy.githubusercontent.com",
    ];
    1072 SHAREPOINT "SharePoint" Collaborative ["sharepoint.com", "sharepoint-df.com"];
    1074 NUGET "NuGet" DevelopmentTools ["nuget.org"];
    1075 NPM "npm" DevelopmentTools ["npmjs.org", "npmjs.com"];

    // Apple.
    1100 APPLE "Apple" Web [
        "apple.com", "apple.net", "cdn-apple.com", "mzstatic.com", "aaplimg.com", "apple-dns.net",
        "apple-dns.com", "apple-cloudkit.com", "apple.news", "apple.com.akadns.net",
        "captive.apple.com.edgekey.net", "applecdn.com", "me.com", "mac.com",
        "apple.com.edgekey.net",
    ];
    1101 ICLOUD "iCloud" Cloud [
        "icloud.com", "icloud-content.com", "icloud.com.cn", "apple-livephotoskit.com",
        "apzones.com", "icloud-content.com.cn",
    ];
    1102 ITUNES "iTunes" Streaming ["itunes.apple.com", "itunes.com", "phobos.apple.com"];
    1103 APPLE_MUSIC "AppleMusic" Music [
        "music.apple.com", "audio-ssl.itunes.apple.com", "aod-ssl.itunes.apple.com",
        "aod.itunes.apple.com", "mvod.itunes.apple.com",
    ];
    1104 APPLE_TV "AppleTVPlus" Streaming ["tv.apple.com", "play-edge.itunes.apple.com"];
    1105 APP_STORE "AppStore" SoftwareUpdate [
        "apps.apple.com", "ppq.apple.com", "apps.mzstatic.com", "buy.itunes.apple.com",
        "xp.apple.com", "iosapps.itunes.apple.com", "osxapps.itunes.apple.com",
    ];
    1107 SIRI "Siri" ArtificialIntelligence [
        "guzzoni.apple.com", "siri.apple.com", "guzzoni-apple-com.v.aaplimg.com",
    ];
    1108 APPLE_MAPS "AppleMaps" Travel ["maps.apple.com", "maps-api.apple.com"];
    1109 FACETIME "FaceTime" VoiceVideoCall ["facetime.apple.com"];

    // Amazon.
    1130 AMAZON "Amazon" Shopping [
        "amazon.com", "amazon.ae", "amazon.ca", "amazon.cn", "amazon.co.jp", "amazon.co.uk",
        "amazon.com.au", "amazon.com.be", "amazon.com.br", "amazon.com.mx", "amazon.com.tr",
        "amazon.de", "amazon.eg", "amazon.es", "amazon.fr", "amazon.in", "amazon.it", "amazon.nl",
        "amazon.pl", "amazon.sa", "amazon.se", "amazon.sg", "images-amazon.com",
        "ssl-images-amazon.com", "media-amazon.com", "amazon-adsystem.com", "amazonpay.com",
        "amazon.dev", "amzn.to", "amzn.com", "amazon-corp.com", "payments-amazon.com", "a2z.com",
        "assoc-amazon.com", "amazontrust.com", "audible.com",
    ];
    1131 ALEXA "AmazonAlexa" ArtificialIntelligence [
        "alexa.amazon.com", "alexa.com", "avs-alexa-na.amazon.com", "avs-alexa-eu.amazon.com",
        "alexa.amazon.co.uk", "alexa.amazon.de", "alexa.na.gateway.devices.a2z.com",
        "bob-dispatch-prod-na.amazon.com", "bob-dispatch-prod-eu.amazon.com",
        "avs-alexa-16-na.amazon.com", "avs-alexa-12-na.amazon.com",
    ];
    1132 PRIME_VIDEO "AmazonVideo" Streaming [
        "primevideo.com", "aiv-cdn.net", "aiv-delivery.net", "amazonvideo.com", "atv-ps.amazon.com",
        "atv-ext.amazon.com", "atv-ps-eu.amazon.com", "atv-ps-eu.amazon.co.uk", "pv-cdn.net",
        "video.amazon.com", "atv-ps-eu.amazon.de",
    ];
    1133 AWS "AmazonAWS" Cloud [
        "amazonaws.com", "amazonaws.com.cn", "aws.amazon.com", "cloudfront.net", "awsstatic.com",
        "elasticbeanstalk.com", "awsglobalaccelerator.com", "aws.dev", "amazoncognito.com",
        "awswaf.com", "on.aws", "api.aws",
    ];
    1134 AMAZON_MUSIC "AmazonMusic" Music [
        "music.amazon.com", "music.amazon.co.uk", "music.amazon.de", "amazonmusic.com",
        "music.a2z.com",
    ];
    1135 TWITCH "Twitch" Video [
        "twitch.tv", "ttvnw.net", "jtvnw.net", "twitchcdn.net", "twitchsvc.net", "twitch.com",
        "live-video.net", "ext-twitch.tv",
    ];
    1136 RING "Ring" IotScada ["ring.com"];
    1137 KINDLE "Kindle" Media ["kindle.com", "kindle.amazon.com"];
    1138 IMDB "IMDb" Media ["imdb.com", "media-imdb.com"];

    // Clouds, hosting and delivery networks.
    1150 CLOUDFLARE "Cloudflare" Web [
        "cloudflare.com", "cloudflare.net", "cloudflareinsights.com", "cloudflarestorage.com",
        "workers.dev", "pages.dev", "cloudflarestatus.com", "cloudflareresolve.com",
        "cloudflareapps.com", "cloudflare-gateway.com", "one.one.one.one",
    ];
    1152 AKAMAI "Akamai" Cloud [
        "akamai.com", "akamaihd.net", "akamai.net", "akamaiedge.net", "akamaized.net",
        "akamaitechnologies.com", "edgesuite.net", "edgekey.net", "akstat.io", "akamaistream.net",
        "akamaiorigin.net", "akadns.net",
    ];
    1153 FASTLY "Fastly" Cloud ["fastly.net", "fastly.com", "fastlylb.net", "fastly-edge.com"];
    1154 ALIBABA_CLOUD "AliCloud" Cloud [
        "aliyuncs.com", "aliyun.com", "alicloud.com", "alibabacloud.com", "alicdn.com",
        "alikunlun.com", "alidns.com", "kunlunsl.com", "kunlunaq.com",
    ];
    1155 TENCENT_CLOUD "TencentCloud" Cloud [
        "tencentcloud.com", "myqcloud.com", "tencentcloudapi.com", "tencentcs.com", "tdnsv5.com",
        "tencent-cloud.net",
    ];
    1156 HUAWEI_CLOUD "HuaweiCloud" Cloud [
        "huaweicloud.com", "cloud.huawei.com", "dbankcloud.com", "dbankcloud.cn", "dbankcdn.com",
        "hicloud.com", "huaweicloud.cn", "myhuaweicloud.com", "dbankcloud.eu", "dbankedge.net",
        "cdnhwc1.com",
    ];
    1157 DIGITALOCEAN "DigitalOcean" Cloud [
        "digitalocean.com", "digitaloceanspaces.com", "ondigitalocean.app",
    ];
    1158 HEROKU "Heroku" Cloud ["heroku.com", "herokuapp.com", "herokussl.com"];
    1159 ORACLE_CLOUD "OracleCloud" Cloud ["oraclecloud.com", "oracle.com", "oracleinfinity.io"];
    1160 IBM_CLOUD "IBMCloud" Cloud ["ibm.com", "bluemix.net", "softlayer.com", "appdomain.cloud"];
    1161 OVH "OVHcloud" Cloud ["ovh.com", "ovh.net", "ovhcloud.com", "ovh.ca"];
    1162 HETZNER "Hetzner" Cloud ["hetzner.com", "hetzner.cloud", "your-server.de"];
    1163 EDGIO "Edgecast" Cloud [
        "edgecastcdn.net", "systemcdn.net", "edgecast.com", "llnwd.net", "llnwi.net", "edgio.net",
        "alphacdn.net", "omegacdn.net", "sigmacdn.net", "phicdn.net", "betacdn.net",
    ];
    1164 BUNNY "BunnyCDN" Cloud ["b-cdn.net", "bunnycdn.com", "bunny.net"];
    1165 VERCEL "Vercel" Cloud ["vercel.app", "vercel.com", "now.sh", "vercel-dns.com"];
    1166 NETLIFY "Netlify" Cloud ["netlify.com", "netlify.app"];
    1167 CDN77 "CDN77" Cloud ["cdn77.org", "cdn77.com", "cdngslb.com"];
    1169 SALESFORCE "Salesforce" Productivity [
        "salesforce.com", "force.com", "salesforceliveagent.com", "sfdcstatic.com",
        "documentforce.com", "visualforce.com", "lightning.com", "sfdc.net", "exacttarget.com",
    ];
    1170 IMGIX "Imgix" Cloud ["imgix.net", "imgix.com"];

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
    1457 PYPI "PyPI" DevelopmentTools ["pypi.org", "pythonhosted.org", "pypi.python.org"];
    1458 CRATES_IO "crates_io" DevelopmentTools ["crates.io", "rust-lang.org", "docs.rs"];
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

super::known_by! {
    // Protocols of their own, known by their host names too.
    BITTORRENT ["utorrent.com", "bittorrent.com", "thepiratebay.org", "bitcomet.com"];
    TEAMVIEWER ["teamviewer.com", "teamviewer.us", "dyngate.com"];
    ANYDESK ["anydesk.com"];
    TOR ["torproject.org"];
    TAILSCALE ["tailscale.com", "tailscale.io", "ts.net"];
    ZEROTIER ["zerotier.com"];
    CITRIX ["citrix.com", "cloud.com", "citrixdata.com"];
    GOOGLE_CALL ["turn.l.google.com", "stun.l.google.com", "stun1.l.google.com", "stun2.l.google.com", "stun3.l.google.com", "stun4.l.google.com", "duo.google.com",];
    MINECRAFT ["minecraft.net", "mojang.com", "minecraftservices.com"];
    APPLE_PUSH ["push.apple.com", "courier-push-apple.com.akadns.net"];
    CLOUDFLARE_WARP ["cloudflareclient.com", "cloudflarewarp.com"];
    IMO_CHAT ["imo.im", "imostatic.com"];
    MUMBLE ["mumble.info"];
    TEAMSPEAK ["teamspeak.com", "teamspeak.org"];
    WORLD_OF_WARCRAFT ["worldofwarcraft.com", "wowhead.com"];
    RIOT_GAMES ["riotgames.com", "leagueoflegends.com", "riotcdn.net", "pvp.net", "lolesports.com", "playvalorant.com", "riotgames.net", "lolstatic.com",];
    COD_MOBILE ["codmwest.com", "codm.garena.com", "callofdutymobile.com"];
    GAIJIN ["gaijin.net", "gaijinent.com", "warthunder.com", "crossout.net", "enlisted.net"];
    TENCENT_GAMES ["tencentgames.com", "igamecj.com", "pubgmobile.com", "gcloudsdk.com", "proximabeta.com", "levelinfinite.com", "intlgame.com",];
    CRYENGINE ["crynetwork.com", "crytek.com"];
    MERAKI_CLOUD ["meraki.com", "network-auth.com"];
    DOH [
        "cloudflare-dns.com", "dns.google", "dns.google.com", "dns.quad9.net", "dns9.quad9.net",
        "dns10.quad9.net", "dns11.quad9.net", "dns.adguard.com", "dns.adguard-dns.com",
        "doh.opendns.com", "doh.cleanbrowsing.org", "dns.nextdns.io", "doh.dns.sb",
        "dns.mullvad.net", "doh.mullvad.net", "doh.xfinity.com", "doh.pub", "dns.alidns.com",
        "doh.360.cn", "dns.controld.com", "freedns.controld.com", "doh.libredns.gr",
        "dns.switch.ch", "doh.li", "dns0.eu", "doh.la.ahadns.net", "jp.tiar.app", "doh.tiar.app",
    ];
}
