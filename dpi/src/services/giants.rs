//! Services of the large houses, and of clouds and delivery networks: ids 1000 to 1199.

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
}
