//! The table of risks: numbers, names, weights, and what is to be said about each.

/// How much a risk weighs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth a look.
    Medium,
    /// Worth a look today.
    High,
    /// Most likely an attack, or the trace of one.
    Severe,
}

impl Severity {
    /// The name as shown.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Severe => "severe",
        }
    }
}

/// One row of the table of risks.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The risk.
    pub risk: Risk,
    /// Its name in settings, records and filters (`tls_certificate_expired`).
    pub name: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// What was seen, in one sentence.
    pub meaning: &'static str,
    /// By what exactly it is told, and where that ends.
    pub sign: &'static str,
    /// What to do about it.
    pub advice: &'static str,
    /// The fields of a record to look at, separated by spaces.
    pub fields: &'static str,
}

macro_rules! risks {
    ($($id:literal $risk:ident $name:literal $severity:ident $meaning:literal
        sign $sign:literal advice $advice:literal fields $fields:literal;)*) => {
        /// A risk; its discriminant is its bit in [`Risks`](super::Risks).
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Risk {
            $(#[doc = $meaning] $risk = $id,)*
        }

        /// Every risk, ascending by number.
        pub const RISKS: &[About] = &[$(About {
            risk: Risk::$risk,
            name: $name,
            severity: Severity::$severity,
            meaning: $meaning,
            sign: $sign,
            advice: $advice,
            fields: $fields,
        },)*];
    };
}

risks! {
    // Requests that attack, and what they bring.
    0 SqlInjection "sql_injection" Severe "A request carries SQL where a value belongs."
        sign "A value of the URL or of a form, decoded once and twice: a union of selects, a condition that is always true behind a quote, a stacked statement, or a function by which databases are felt out."
        advice "Look at the client's other requests and at what the server answered; check that the application binds its parameters."
        fields "http.path http.host http.status";
    1 CrossSiteScripting "cross_site_scripting" Severe "A request carries script where a value belongs."
        sign "A value of the URL or of a form, decoded once and twice: a script element, an element with an event handler, a `javascript:` that calls something."
        advice "Look whether the answer repeats the value; check that the application escapes it."
        fields "http.path http.host http.status";
    2 RemoteCodeExecution "remote_code_execution" Severe "A request carries a command or code to be run by the server."
        sign "A shell's separator and a known command behind it, a parameter named for a command with one in it, or calls of PHP, Java, Python, or of an expression language."
        advice "Look for new processes, files and connections of the server since then."
        fields "http.path http.host http.status";
    3 PathTraversal "path_traversal" Severe "A request climbs out of the folders that it may read."
        sign "`..` in the path beyond its root, three steps up in a parameter, or one step towards a file that only the system reads; in any encoding up to twice."
        advice "Look whether the answer's status says success, and what the server gave away."
        fields "http.path http.host http.status";
    4 KnownExploit "known_exploit" Severe "The bytes of a published exploit."
        sign "A list of published attacks on web servers: Log4Shell, Shellshock, Spring4Shell, Struts, ProxyShell, Confluence, PHPUnit, F5, Citrix, Apache 2.4.49 and others, in URL, header or form."
        advice "Look whether the server has the program that is attacked, and in which version."
        fields "http.path http.user_agent http.host http.status";
    5 BinaryTransfer "binary_transfer" High "A program for some machine is transferred in clear."
        sign "The body's first bytes are those of a Windows, Linux, macOS, Android or Java program or package, or its declared type says so, or the URL's ending with a type that says nothing."
        advice "Look whence it came and who started it; software from a known source comes signed."
        fields "http.path http.content_type http.host";
    6 ScriptTransfer "script_transfer" Medium "A script (shell, PowerShell, …) is transferred in clear."
        sign "The body begins with `#!/`, or its type or the URL's ending is that of a shell, PowerShell, batch or Windows script."
        advice "Look whence it came and what it does; on small devices this is how most malware arrives."
        fields "http.path http.content_type http.host";
    7 MisleadingContentType "misleading_content_type" High "Content is a program, its declared type is another."
        sign "A program by its first bytes, declared as text, image, sound, video or font."
        advice "Take it for malware until shown otherwise."
        fields "http.content_type http.path http.host";
    // HTTP.
    8 HttpSuspiciousAgent "http_suspicious_agent" Medium "The user agent is missing, malformed, or that of an attack tool."
        sign "A complete request without the header, with fewer than four letters in it, with control characters or a placeholder, or with the name of a scanner or an attack tool."
        advice "Look which program of the client sends it."
        fields "http.user_agent http.host http.path";
    9 HttpCrawler "http_crawler" Low "The user agent says that it is a crawler or a scanner."
        sign "The agent's name, or the address of its owner in the way of crawlers (`+http`)."
        advice "None where the site is public; else look who may reach the server."
        fields "http.user_agent http.host";
    10 HttpNumericHost "numeric_host" Low "The host asked for is an address instead of a name."
        sign "An IPv4 or IPv6 address in the host header, in the name that a TLS client asks for, or in a question to DNS."
        advice "Common with devices and downloads of malware, rare with browsers: look which program it is."
        fields "flow.hostname";
    11 HttpSuspiciousUrl "http_suspicious_url" High "The URL has bytes that no browser sends, or is that of a known attack."
        sign "Control characters or zero bytes, plain or encoded, a line end followed by a header, quotes or angle brackets that are not encoded, or dots of a path that are."
        advice "Look at the client's other requests and at what the server answered."
        fields "http.path http.host http.status";
    12 HttpSuspiciousHeader "http_suspicious_header" Medium "A header is malformed, doubled, or of no sane length."
        sign "A line without name or with spaces in it, two hosts or two lengths, a length beside a transfer encoding (request smuggling), an encoding that does not exist, or a line above 6000 bytes."
        advice "Look whether proxy and server read the request alike."
        fields "http.host http.path";
    13 HttpObsoleteServer "http_obsolete_server" Medium "The server says a version that is no longer maintained."
        sign "Apache before 2.4, nginx before 1.20, IIS before 10, PHP before 8, OpenSSL before 1.1.1, Coyote, lighttpd before 1.4, Jetty before 9; distributions may have mended what they still call by the old number."
        advice "Update the server, or have it not tell its version."
        fields "http.server";
    14 HttpErrorStatus "http_error_status" Low "The server answered with an error."
        sign "A status of 400 or above."
        advice "Single ones are ordinary; many of one client are a search for weak spots."
        fields "http.status http.path";
    15 HttpSuspiciousContent "http_suspicious_content" Medium "The content is not what its type says."
        sign "The type says text, without an encoding, and the first bytes are not."
        advice "Look at the content; some malware talks to its masters so."
        fields "http.content_type http.path http.host";
    // Credentials and protocols in clear.
    16 ClearTextCredentials "clear_text_credentials" High "A password or a key to an account crossed the network in clear."
        sign "HTTP Basic and login forms, FTP, POP3, IMAP, SMTP, IRC, Telnet, Redis, MQTT, LDAP, SOCKS, SIP, RTSP, rsh and the communities of SNMP. What was said is not kept."
        advice "Change the password, and the protocol for its encrypted kin."
        fields "flow.hostname";
    17 UnsafeProtocol "unsafe_protocol" Medium "A protocol that should not be used any more: without encryption, or for files of strangers."
        sign "Telnet, rsh, FTP, TFTP, SNMP 1 and 2c, mail and LDAP without TLS, IRC, SMB 1, PPTP, XDMCP, eDonkey, Gnutella."
        advice "Use what replaced it, or confine it to a network of its own."
        fields "flow.hostname";
    18 AnonymousLogin "anonymous_login" Low "Somebody logged in without an account."
        sign "FTP as `anonymous` or `ftp`, a bind to LDAP without name and password."
        advice "Look whether the server is meant to be public."
        fields "ftp.user ldap.bind_dn";
    19 LoginRefused "login_refused" Low "A login was refused."
        sign "The server's answer to a login: 530 (FTP), 535 (SMTP), `-ERR`, `NO`, 401 after credentials, LDAP result 49, Redis `WRONGPASS`, SOCKS and MQTT refusals."
        advice "Many of one client are guesses at a password."
        fields "http.status ftp.user pop3.user imap.user";
    20 DesktopOrFileSharing "desktop_or_file_sharing" Low "A desktop or files are shared with another host."
        sign "RDP, VNC, X11, TeamViewer, AnyDesk, Radmin, NoMachine, Citrix on any network; SMB, AFP and NFS where one end has a public address."
        advice "Look whether whoever sits at the other end is expected."
        fields "flow.hostname";
    // TLS and its relatives.
    21 TlsObsoleteVersion "tls_obsolete_version" High "SSL, TLS 1.0 or TLS 1.1 was agreed on."
        sign "The version in the server's answer."
        advice "Update the older of the two ends."
        fields "tls.version tls.sni";
    22 TlsWeakCipher "tls_weak_cipher" High "A cipher was agreed on that can be broken."
        sign "The cipher suite in the server's answer: none, export, RC4, DES, triple DES, or without authentication."
        advice "Take it out of the server's list."
        fields "tls.cipher tls.sni";
    23 TlsSelfSigned "tls_self_signed" High "The server's certificate is signed by itself."
        sign "Issuer and subject of the certificate are the same."
        advice "Expected of devices; of a public site it is not."
        fields "tls.sni";
    24 TlsExpired "tls_certificate_expired" High "The server's certificate is no longer valid, or not yet."
        sign "The certificate's dates, held against the packet's time."
        advice "Renew it; look whether clients were taught to go on."
        fields "tls.sni";
    25 TlsAboutToExpire "tls_certificate_about_to_expire" Low "The server's certificate ends within thirty days."
        sign "The certificate's last date, held against the packet's time."
        advice "Renew it."
        fields "tls.sni";
    26 TlsLongValidity "tls_certificate_validity_too_long" Medium "The server's certificate is valid for longer than browsers accept."
        sign "Beginning and end of validity, 398 days and more for certificates made since September 2020."
        advice "No public authority issues one: look who did."
        fields "tls.sni";
    27 TlsMismatch "tls_certificate_mismatch" High "The server's certificate is for other names than the one asked for."
        sign "The name in the hello is none of the certificate's."
        advice "Look whether somebody sits between, or the server is not who it was asked to be."
        fields "tls.sni";
    28 TlsMissingSni "tls_missing_sni" Medium "The client did not say which host it wants."
        sign "A hello without the extension."
        advice "Every browser sends it: look which program does not."
        fields "tls.ja4";
    29 TlsNotWeb "tls_not_carrying_https" Low "TLS on a port of the web without the protocols of the web."
        sign "Port 443 and no application protocol of HTTP among those offered."
        advice "Look which program it is; tunnels look so."
        fields "tls.alpn tls.sni";
    30 TlsUncommonAlpn "tls_uncommon_alpn" Medium "The client offers a protocol that is not registered."
        sign "A name in the extension that is not in IANA's list."
        advice "Look which program it is."
        fields "tls.alpn tls.sni";
    31 TlsFatalAlert "tls_fatal_alert" Low "The handshake was ended by an error."
        sign "An alert of level fatal."
        advice "Look which of the two ends refuses, and why."
        fields "tls.sni";
    32 TlsSuspiciousExtension "tls_suspicious_extension" High "An extension is malformed, or one that no known client sends."
        sign "Lengths that do not fit, or characters that a name may not have."
        advice "Look which program it is; exploits and tunnels look so."
        fields "tls.ja4 tls.sni";
    33 TlsEncryptedHello "tls_encrypted_hello" Low "The client hides which host it wants (ECH or ESNI)."
        sign "The extensions of encrypted hellos."
        advice "None by itself; names of hosts will be missing from records."
        fields "tls.ech tls.sni";
    34 TlsAlpnSniMismatch "tls_alpn_sni_mismatch" Medium "The protocol offered does not fit the host asked for."
        sign "A protocol of the web without a host, or of DNS towards a host of another kind."
        advice "Look which program it is."
        fields "tls.alpn tls.sni";
    35 ListedFingerprint "listed_fingerprint" Severe "The client's fingerprint or the server's certificate is on a list."
        sign "A list of yours holds it."
        advice "Look at the client as the list's owner says."
        fields "tls.ja4 tls.sni";
    // DNS.
    36 DnsSuspicious "dns_suspicious" Medium "A query or an answer of an unusual type, size or number of records."
        sign "The types NULL, ANY, zone transfers, obsolete and private ones, a large text record, a class that is not in use, more than fifty answers, or a name with data in it."
        advice "Look for tunnels: many questions of one client below one domain."
        fields "dns.name dns.type";
    37 DnsGenerated "dns_generated_name" High "The name looks as if it was generated by a program."
        sign "The registered label has nine letters and more, and pairs of letters that words and names do not have, or letters and digits by turns."
        advice "Look for other such names of the client; malware finds its masters so."
        fields "flow.hostname dns.name dns.rcode";
    38 DnsLongName "dns_long_name" Medium "The name is long enough to carry data."
        sign "Above 120 bytes, or labels of 50 bytes and more that are no words."
        advice "Look for many such names below one domain: a tunnel, or what a program reports."
        fields "flow.hostname dns.name";
    39 DnsErrors "dns_error_code" Low "The server answered with an error."
        sign "A response code that is not zero."
        advice "Single ones are ordinary; many of one client are a search."
        fields "dns.rcode dns.name";
    40 DnsLargePacket "dns_large_packet" Medium "A DNS message larger than what was agreed on."
        sign "A datagram above 512 bytes, or above what the question offered (RFC 6891)."
        advice "Look whether the server is used for amplification."
        fields "dns.edns_size dns.name";
    41 DnsFragmented "dns_fragmented" Medium "A DNS message came in fragments."
        sign "A fragment of IP that belongs to a flow of DNS."
        advice "Lower the size that resolvers offer (1232 bytes pass anywhere)."
        fields "dns.name";
    // Names.
    42 Punycode "punycode" Low "The host name has letters beyond ASCII."
        sign "A label that begins with `xn--`."
        advice "None by itself; see the risk of look-alikes."
        fields "flow.hostname";
    43 LookAlikeName "look_alike_name" High "The host name mixes alphabets, so that it looks like another."
        sign "One label with Latin letters beside Cyrillic, Greek, Armenian or Cherokee ones, or wholly of Cyrillic or Greek letters that look like Latin below a Latin domain, or with invisible characters."
        advice "Look which name it imitates, and warn whoever clicked."
        fields "flow.hostname";
    44 InvalidCharacters "invalid_characters" Medium "A name has characters that it may not have."
        sign "Something else than letters, digits, hyphen and underscore (RFC 952, RFC 1123), an empty label, or one above 63 bytes."
        advice "Look which program makes such names; tunnels and exploits do."
        fields "flow.hostname dns.name";
    // Old programs.
    45 SshObsoleteClient "ssh_obsolete_client" Medium "An SSH client that is old, or offers only broken algorithms."
        sign "Protocol 1, OpenSSH before 7, dropbear before 2016, libssh before 0.8, or a key exchange whose every offer is broken."
        advice "Update it."
        fields "ssh.client";
    46 SshObsoleteServer "ssh_obsolete_server" Medium "An SSH server that is old, or offers only broken algorithms."
        sign "Protocol 1, OpenSSH before 7, dropbear before 2016, libssh before 0.8, or a key exchange whose every offer is broken."
        advice "Update it."
        fields "ssh.server";
    47 SmbInsecure "smb_insecure_version" High "SMB version 1."
        sign "A message of that version that is more than an offer."
        advice "Turn it off at the server."
        fields "smb.version";
    // The flow as a whole.
    48 NonStandardPort "non_standard_port" Medium "A well-known protocol on a port that is not its own."
        sign "A protocol that has ports of its own, recognised by its content where neither end uses one of them."
        advice "Look which program listens there."
        fields "flow.hostname";
    49 ForeignProtocol "foreign_protocol_on_port" Medium "A port that belongs to one protocol carries another."
        sign "The server's port is one that firewalls let through for a protocol, and the content is another."
        advice "Look whether somebody passes a firewall so."
        fields "flow.hostname";
    50 Malformed "malformed" Low "A message breaks the rules of its protocol."
        sign "A dissector is sure of the protocol, and a field of the message cannot be what it is."
        advice "Look whether the sender is old, broken, or feels out the other end."
        fields "flow.hostname";
    51 SuspiciousEntropy "suspicious_entropy" Medium "What should be text or plain data looks encrypted."
        sign "Bytes of a payload of an unknown flow, an echo, or declared text are spread as evenly as random ones."
        advice "Look for a tunnel, or data on its way out."
        fields "flow.hostname";
    52 FullyEncrypted "fully_encrypted" Medium "Random bytes from the first one on, of no known protocol."
        sign "The first payload of an unknown flow has as many bits set as unset (3.4 to 4.6 a byte), no run of letters, and none at its beginning."
        advice "Tools that evade blocking look so, and so do some malware and messengers: look which program it is."
        fields "flow.hostname";
    53 Obfuscated "obfuscated" High "A protocol that takes pains not to be recognised."
        sign "A protocol or service made for passing filters."
        advice "Look which program it is, and whether it is wanted."
        fields "flow.hostname";
    54 TcpIssues "tcp_issues" Low "Flags that do not belong together, or a connection that makes no sense."
        sign "No flags, SYN with FIN or RST, FIN without ACK, all of FIN, PSH and URG (scans), or a connection refused."
        advice "Look for a scan: many such flows of one client."
        fields "flow.hostname";
    55 Probing "probing" Medium "A connection without payload, or a few bytes and a reset."
        sign "A handshake and an end with nothing between, a request that is reset at once, or a URL that only scanners ask for."
        advice "Look for a scan: many such flows of one client."
        fields "http.path http.status";
    56 Unidirectional "unidirectional" Low "Only one side was ever heard."
        sign "Packets of one direction, towards one host, of a protocol that answers."
        advice "Look whether the other host is there, or the capture sees one direction only."
        fields "flow.hostname";
    57 Periodic "periodic" Low "The same flow comes again and again at the same distance."
        sign "Five flows and more between the same client, server and port, at distances that differ by less than a tenth."
        advice "Updates and monitoring do so, and malware that waits for orders."
        fields "flow.hostname";
    // Lists.
    58 ListedHost "listed_host" Severe "The host name is on a list of dangerous ones."
        sign "A list of yours holds it."
        advice "Look at the client as the list's owner says."
        fields "flow.hostname";
    59 ListedAddress "listed_address" Severe "An address is on a list of dangerous ones."
        sign "A list of yours holds it."
        advice "Look at the client as the list's owner says."
        fields "flow.hostname";
    60 RiskyDomain "risky_domain" Medium "The host name is below a domain that is mostly used for attacks."
        sign "Top-level domains that were given away for nothing or next to it, and lead the published counts of phishing: tk, ml, ga, cf, gq, cfd, cyou, sbs, icu, bond, rest, quest."
        advice "Look who asked for it and why."
        fields "flow.hostname";
    61 Mining "mining" High "A currency is being mined."
        sign "The protocol between miners and pools."
        advice "Look for the program on the client; it was rarely its owner who put it there."
        fields "flow.hostname";
    62 Anonymity "anonymity" Low "A service that hides who talks to whom."
        sign "Tor, and the services of providers of such tunnels."
        advice "Look whether that is wanted on this network."
        fields "flow.hostname";
}
