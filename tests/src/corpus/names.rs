//! The reference's names and ours, brought into one form: what differs in spelling only, or in
//! how finely the same thing is told apart, compares equal.

/// Pairs of (either side's spelling, the common one), compared in lower case; whole dotted names
/// first, then each part.
const WHOLE: &[(&str, &str)] = &[
    ("netbios.smbv1", "smb"),
    ("netbios.smbv23", "smb"),
    ("gtp.gtp_c", "gtp_c"),
    ("gtp.gtp_u", "gtp_u"),
    ("gtp.gtp_prime", "gtp_prime"),
];

const PARTS: &[(&str, &str)] = &[
    ("esp", "ipsec"),
    ("ah", "ipsec"),
    ("ike", "ipsec"),
    ("doh", "doh_dot"),
    ("dot", "doh_dot"),
    ("doq", "doh_dot"),
    ("smbv1", "smb"),
    ("smbv23", "smb"),
    ("mssql-tds", "ms-sql-tds"),
    ("resp", "redis"),
    ("jabber", "xmpp"),
    ("usenet", "nntp"),
    ("service_location_protocol", "slp"),
    ("sunrpc", "rpc"),
    ("ciscoskinny", "skinny"),
    ("ptpv2", "ptp"),
    ("ip_pim", "pim"),
    ("gtp-c", "gtp_c"),
    ("gtp-u", "gtp_u"),
    ("ethernet/ip", "ethernetip"),
    ("dce/rpc", "dcerpc"),
    ("tacacs+", "tacacs_plus"),
    ("opc-ua", "opcua"),
    ("pop3s", "pops"),
    ("alicloudmessage", "alicloud"),
    ("photon", "tocaboca"),
    ("teamscall", "skype"),
    ("telegramcall", "telegram"),
    ("vibercall", "viber"),
    ("signalcall", "signal"),
    ("zoomcall", "zoom"),
    ("gaijin", "gaijinentertainment"),
    ("javarmi", "jrmi"),
    ("gtp-prime", "gtp_prime"),
    ("ubuntuone", "ubuntu"),
    ("appleicloud", "icloud"),
    ("appleitunes", "itunes"),
    ("appletvplus", "appletv"),
    ("applestore", "appstore"),
    ("applesiri", "siri"),
    ("ms_onedrive", "onedrive"),
    ("skype_teams", "skype"),
    ("skype_teamscall", "skype"),
    ("whatsappcall", "whatsapp"),
    ("signalvoip", "signal"),
    ("telegramvoip", "telegram"),
    ("vibervoip", "viber"),
    ("snapchatcall", "snapchat"),
    ("fbookreelstory", "facebookvideo"),
    ("ads_analytic_track", "adsandtracking"),
    ("cybersec", "abusech"),
];

/// The common form of a dotted name.
pub fn canonical(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    if let Some((_, common)) = WHOLE.iter().find(|(spelling, _)| *spelling == lower) {
        return (*common).to_owned();
    }
    let parts: Vec<&str> = lower.split('.').map(part).collect();
    match parts.as_slice() {
        [one, two] if one == two => (*one).to_owned(),
        _ => parts.join("."),
    }
}

fn part(name: &str) -> &str {
    PARTS.iter().find(|(spelling, _)| *spelling == name).map_or(name, |(_, common)| common)
}
