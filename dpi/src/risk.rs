//! Risks: what is odd or dangerous about a flow, each a bit with a stable number.
//!
//! A dissector that sees one says so by [`Meta::set_risk`](crate::meta::Meta::set_risk). What is
//! judged by more than one packet's content (lists, timing, TCP behaviour) is set by whoever sees it.
//! The numbers are part of the shared-memory format and never move.

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
}

macro_rules! risks {
    ($($id:literal $risk:ident $name:literal $severity:ident $meaning:literal;)*) => {
        /// A risk; its discriminant is its bit in [`Risks`].
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
        },)*];
    };
}

risks! {
    // Requests that attack, and what they bring.
    0 SqlInjection "sql_injection" Severe "A request carries SQL where a value belongs.";
    1 CrossSiteScripting "cross_site_scripting" Severe "A request carries script where a value belongs.";
    2 RemoteCodeExecution "remote_code_execution" Severe "A request carries a command or code to be run by the server.";
    3 PathTraversal "path_traversal" Severe "A request climbs out of the folders that it may read.";
    4 KnownExploit "known_exploit" Severe "The bytes of a published exploit.";
    5 BinaryTransfer "binary_transfer" High "A program for some machine is transferred in clear.";
    6 ScriptTransfer "script_transfer" Medium "A script (shell, PowerShell, …) is transferred in clear.";
    7 MisleadingContentType "misleading_content_type" High "Content is a program, its declared type is another.";
    // HTTP.
    8 HttpSuspiciousAgent "http_suspicious_agent" Medium "The user agent is missing, malformed, or that of an attack tool.";
    9 HttpCrawler "http_crawler" Low "The user agent says that it is a crawler or a scanner.";
    10 HttpNumericHost "http_numeric_host" Low "The host is an address instead of a name.";
    11 HttpSuspiciousUrl "http_suspicious_url" High "The URL has bytes that no browser sends, or is that of a known attack.";
    12 HttpSuspiciousHeader "http_suspicious_header" Medium "A header is malformed, doubled, or of no sane length.";
    13 HttpObsoleteServer "http_obsolete_server" Medium "The server says a version that is no longer maintained.";
    14 HttpErrorStatus "http_error_status" Low "The server answered with an error.";
    15 HttpSuspiciousContent "http_suspicious_content" Medium "The content is not what its type says.";
    // Credentials and protocols in clear.
    16 ClearTextCredentials "clear_text_credentials" High "A password or a key to an account crossed the network in clear.";
    17 UnsafeProtocol "unsafe_protocol" Medium "A protocol without encryption that should not be used any more.";
    18 AnonymousLogin "anonymous_login" Low "Somebody logged in without an account.";
    19 LoginRefused "login_refused" Low "A login was refused.";
    20 DesktopOrFileSharing "desktop_or_file_sharing" Low "A desktop or files are shared with another host.";
    // TLS and its relatives.
    21 TlsObsoleteVersion "tls_obsolete_version" High "SSL, TLS 1.0 or TLS 1.1 was agreed on.";
    22 TlsWeakCipher "tls_weak_cipher" High "A cipher was agreed on that can be broken.";
    23 TlsSelfSigned "tls_self_signed" High "The server's certificate is signed by itself.";
    24 TlsExpired "tls_certificate_expired" High "The server's certificate is no longer valid, or not yet.";
    25 TlsAboutToExpire "tls_certificate_about_to_expire" Low "The server's certificate ends within thirty days.";
    26 TlsLongValidity "tls_certificate_validity_too_long" Medium "The server's certificate is valid for longer than browsers accept.";
    27 TlsMismatch "tls_certificate_mismatch" High "The server's certificate is for other names than the one asked for.";
    28 TlsMissingSni "tls_missing_sni" Medium "The client did not say which host it wants.";
    29 TlsNotWeb "tls_not_carrying_https" Low "TLS on a port of the web without the protocols of the web.";
    30 TlsUncommonAlpn "tls_uncommon_alpn" Medium "The client offers a protocol that is not registered.";
    31 TlsFatalAlert "tls_fatal_alert" Low "The handshake was ended by an error.";
    32 TlsSuspiciousExtension "tls_suspicious_extension" High "An extension is malformed, or one that no known client sends.";
    33 TlsEncryptedHello "tls_encrypted_hello" Low "The client hides which host it wants (ECH or ESNI).";
    34 TlsAlpnSniMismatch "tls_alpn_sni_mismatch" Medium "The protocol offered does not fit the host asked for.";
    35 ListedFingerprint "listed_fingerprint" Severe "The client's fingerprint or the server's certificate is on a list.";
    // DNS.
    36 DnsSuspicious "dns_suspicious" Medium "A query or an answer of an unusual type, size or number of records.";
    37 DnsGenerated "dns_generated_name" High "The name looks as if it was generated by a program.";
    38 DnsLongName "dns_long_name" Medium "The name is long enough to carry data.";
    39 DnsErrors "dns_error_code" Low "The server answered with an error.";
    40 DnsLargePacket "dns_large_packet" Medium "A DNS message larger than what was agreed on.";
    41 DnsFragmented "dns_fragmented" Medium "A DNS message came in fragments.";
    // Names.
    42 Punycode "punycode" Low "The host name has letters beyond ASCII.";
    43 LookAlikeName "look_alike_name" High "The host name mixes alphabets, so that it looks like another.";
    44 InvalidCharacters "invalid_characters" Medium "A name has characters that it may not have.";
    // Old programs.
    45 SshObsoleteClient "ssh_obsolete_client" Medium "An SSH client that is old, or offers only broken algorithms.";
    46 SshObsoleteServer "ssh_obsolete_server" Medium "An SSH server that is old, or offers only broken algorithms.";
    47 SmbInsecure "smb_insecure_version" High "SMB version 1.";
    // The flow as a whole.
    48 NonStandardPort "non_standard_port" Medium "A well-known protocol on a port that is not its own.";
    49 ForeignProtocol "foreign_protocol_on_port" Medium "A port that belongs to one protocol carries another.";
    50 Malformed "malformed" Low "A message breaks the rules of its protocol.";
    51 SuspiciousEntropy "suspicious_entropy" Medium "What should be text or plain data looks encrypted.";
    52 FullyEncrypted "fully_encrypted" Medium "Random bytes from the first one on, of no known protocol.";
    53 Obfuscated "obfuscated" High "A protocol that takes pains not to be recognised.";
    54 TcpIssues "tcp_issues" Low "Flags that do not belong together, or a connection that makes no sense.";
    55 Probing "probing" Medium "A connection without payload, or a few bytes and a reset.";
    56 Unidirectional "unidirectional" Low "Only one side was ever heard.";
    57 Periodic "periodic" Low "The same flow comes again and again at the same distance.";
    // Lists.
    58 ListedHost "listed_host" Severe "The host name is on a list of dangerous ones.";
    59 ListedAddress "listed_address" Severe "An address is on a list of dangerous ones.";
    60 RiskyDomain "risky_domain" Medium "The host name is below a domain that is mostly used for attacks.";
    61 Mining "mining" High "A currency is being mined.";
}

/// A set of risks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Risks(pub u64);

impl Risks {
    /// None.
    pub const NONE: Risks = Risks(0);
    /// All that there are.
    pub const ALL: Risks = Risks((1 << RISKS.len()) - 1);

    /// Adds one.
    pub const fn set(&mut self, risk: Risk) {
        self.0 |= 1 << risk as u8;
    }

    /// Takes one away.
    pub const fn clear(&mut self, risk: Risk) {
        self.0 &= !(1 << risk as u8);
    }

    /// Whether `risk` is among them.
    pub const fn has(self, risk: Risk) -> bool {
        self.0 >> risk as u8 & 1 == 1
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are in both sets.
    #[must_use]
    pub const fn and(self, other: Risks) -> Risks {
        Risks(self.0 & other.0)
    }

    /// Their rows, ascending by number.
    pub fn iter(self) -> impl Iterator<Item = &'static About> {
        RISKS.iter().filter(move |about| self.has(about.risk))
    }

    /// The heaviest of them.
    pub fn severity(self) -> Option<Severity> {
        self.iter().map(|about| about.severity).max()
    }
}

/// The risk of this name.
pub fn by_name(name: &str) -> Option<Risk> {
    RISKS.iter().find(|about| about.name == name).map(|about| about.risk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_and_names_differ() {
        for (number, about) in RISKS.iter().enumerate() {
            assert_eq!(about.risk as usize, number);
            assert_eq!(by_name(about.name), Some(about.risk), "{}", about.name);
            assert!(about.meaning.ends_with('.'), "{}", about.name);
        }
        assert!(RISKS.len() < 64);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let mut risks = Risks::NONE;
        assert!(risks.is_empty() && risks.severity().is_none());
        risks.set(Risk::Punycode);
        risks.set(Risk::SqlInjection);
        assert!(risks.has(Risk::Punycode) && !risks.has(Risk::Malformed));
        let names: Vec<_> = risks.iter().map(|about| about.name).collect();
        assert_eq!(names, ["sql_injection", "punycode"]);
        assert_eq!(risks.severity(), Some(Severity::Severe));
        risks.clear(Risk::SqlInjection);
        assert_eq!(risks.severity(), Some(Severity::Low));
        assert_eq!(risks.and(Risks::ALL), risks);
    }
}
