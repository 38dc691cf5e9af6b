//! Protocols that are known by host names too. Their ids are those of [`crate::app`].

use super::known_by;

known_by! {
    BITTORRENT ["utorrent.com", "bittorrent.com", "thepiratebay.org", "bitcomet.com"];
    TEAMVIEWER ["teamviewer.com", "teamviewer.us", "dyngate.com"];
    ANYDESK ["anydesk.com"];
    TOR ["torproject.org"];
    TAILSCALE ["tailscale.com", "tailscale.io", "ts.net"];
    ZEROTIER ["zerotier.com"];
    CITRIX ["citrix.com", "cloud.com", "citrixdata.com"];
    GOOGLE_CALL [
        "turn.l.google.com", "stun.l.google.com", "stun1.l.google.com", "stun2.l.google.com",
        "stun3.l.google.com", "stun4.l.google.com", "duo.google.com",
    ];
    MINECRAFT ["minecraft.net", "mojang.com", "minecraftservices.com"];
    APPLE_PUSH ["push.apple.com", "courier-push-apple.com.akadns.net"];
    CLOUDFLARE_WARP ["cloudflareclient.com", "cloudflarewarp.com"];
    IMO_CHAT ["imo.im", "imostatic.com"];
    MUMBLE ["mumble.info"];
    TEAMSPEAK ["teamspeak.com", "teamspeak.org"];
    WORLD_OF_WARCRAFT ["worldofwarcraft.com", "wowhead.com"];
    RIOT_GAMES [
        "riotgames.com", "leagueoflegends.com", "riotcdn.net", "pvp.net", "lolesports.com",
        "playvalorant.com", "riotgames.net", "lolstatic.com",
    ];
    COD_MOBILE ["codmwest.com", "codm.garena.com", "callofdutymobile.com"];
    GAIJIN ["gaijin.net", "gaijinent.com", "warthunder.com", "crossout.net", "enlisted.net"];
    TENCENT_GAMES [
        "tencentgames.com", "igamecj.com", "pubgmobile.com", "gcloudsdk.com", "proximabeta.com",
        "levelinfinite.com", "intlgame.com",
    ];
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
