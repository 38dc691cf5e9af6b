//! The state of a connection, and how it ended.

use super::seen;

/// A flow's state in the words of Zeek's `conn_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
#[expect(missing_docs, reason = "docs/METRICS.md says what each is")]
pub enum ConnState {
    /// Not known: health is off, or the protocol has no connections.
    #[default]
    None = 0,
    S0 = 1,
    S1 = 2,
    SF = 3,
    Rej = 4,
    S2 = 5,
    S3 = 6,
    RstO = 7,
    RstR = 8,
    RstOS0 = 9,
    RstRH = 10,
    Sh = 11,
    ShR = 12,
    Oth = 13,
}

impl ConnState {
    const ALL: [Self; 14] = [
        Self::None,
        Self::S0,
        Self::S1,
        Self::SF,
        Self::Rej,
        Self::S2,
        Self::S3,
        Self::RstO,
        Self::RstR,
        Self::RstOS0,
        Self::RstRH,
        Self::Sh,
        Self::ShR,
        Self::Oth,
    ];

    /// The name; empty for none.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::S0 => "S0",
            Self::S1 => "S1",
            Self::SF => "SF",
            Self::Rej => "REJ",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::RstO => "RSTO",
            Self::RstR => "RSTR",
            Self::RstOS0 => "RSTOS0",
            Self::RstRH => "RSTRH",
            Self::Sh => "SH",
            Self::ShR => "SHR",
            Self::Oth => "OTH",
        }
    }

    /// What it says, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::None => "not known",
            Self::S0 => "asked, and nobody answered",
            Self::S1 => "established, not closed",
            Self::SF => "established and closed by both sides",
            Self::Rej => "refused",
            Self::S2 => "established; the client closed its side",
            Self::S3 => "established; the server closed its side",
            Self::RstO => "established; reset by the client",
            Self::RstR => "established; reset by the server",
            Self::RstOS0 => "asked, then reset by the client before an answer",
            Self::RstRH => "answered and reset by the server; nothing seen of the client's SYN",
            Self::Sh => "asked, then closed by the client before an answer",
            Self::ShR => "answered and closed by the server; nothing seen of the client's SYN",
            Self::Oth => "seen from its middle on",
        }
    }

    /// Of what the client and the server have shown ([`seen`]), of a TCP connection.
    pub const fn of_tcp(client: u8, server: u8) -> Self {
        let (fin, rst) = ((client | server) & seen::FIN, (client | server) & seen::RST);
        let asked = client & seen::SYN != 0;
        let answered = server & seen::SYN_ACK != 0;
        if asked && (answered || is_going_on(client, server)) {
            return if client & seen::RST != 0 && server & seen::RST == 0 {
                Self::RstO
            } else if rst != 0 {
                Self::RstR
            } else if client & server & seen::FIN != 0 {
                Self::SF
            } else if fin == 0 {
                Self::S1
            } else if client & seen::FIN != 0 {
                Self::S2
            } else {
                Self::S3
            };
        }
        if asked {
            return if server & seen::RST != 0 {
                Self::Rej
            } else if client & seen::RST != 0 {
                Self::RstOS0
            } else if client & seen::FIN != 0 {
                Self::Sh
            } else {
                Self::S0
            };
        }
        match answered {
            true if server & seen::RST != 0 => Self::RstRH,
            true if server & seen::FIN != 0 && client == 0 => Self::ShR,
            _ => Self::Oth,
        }
    }

    /// Of whether the client and the server sent anything, of a UDP flow.
    pub const fn of_udp(client: bool, server: bool) -> Self {
        match (client, server) {
            (true, true) => Self::SF,
            (true, false) => Self::S0,
            (false, true) => Self::ShR,
            (false, false) => Self::None,
        }
    }

    pub(super) fn from_raw(raw: u8) -> Self {
        Self::ALL.get(usize::from(raw)).copied().unwrap_or_default()
    }
}

/// Whether the connection works although its SYN+ACK was not seen.
const fn is_going_on(client: u8, server: u8) -> bool {
    server & (seen::DATA | seen::ACK) != 0 && client & (seen::DATA | seen::ACK) != 0
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Ended {
    /// It has not, or not by a packet.
    #[default]
    Open = 0,
    /// Both sides closed it, the client first.
    ByClient = 1,
    /// Both sides closed it, the server first.
    ByServer = 2,
    /// The client reset it.
    ResetByClient = 3,
    /// The server reset it.
    ResetByServer = 4,
    /// The server answered the SYN with a reset.
    Refused = 5,
}

impl Ended {
    /// The name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::ByClient => "closed_by_client",
            Self::ByServer => "closed_by_server",
            Self::ResetByClient => "reset_by_client",
            Self::ResetByServer => "reset_by_server",
            Self::Refused => "refused",
        }
    }

    pub(super) fn from_raw(raw: u8) -> Self {
        match raw {
            1 => Self::ByClient,
            2 => Self::ByServer,
            3 => Self::ResetByClient,
            4 => Self::ResetByServer,
            5 => Self::Refused,
            _ => Self::Open,
        }
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_states_are_those_of_the_letters() {
        use seen::{ACK, DATA, FIN, RST, SYN, SYN_ACK};
        for (client, server, state) in [
            (SYN, 0, ConnState::S0),
            (SYN, RST, ConnState::Rej),
            (SYN | ACK, SYN_ACK, ConnState::S1),
            (SYN | ACK | DATA, SYN_ACK | DATA | ACK, ConnState::S1),
            (SYN | ACK | FIN, SYN_ACK | ACK, ConnState::S2),
            (SYN | ACK, SYN_ACK | ACK | FIN, ConnState::S3),
            (SYN | ACK | FIN, SYN_ACK | ACK | FIN, ConnState::SF),
            (SYN | ACK | RST, SYN_ACK | ACK, ConnState::RstO),
            (SYN | ACK, SYN_ACK | ACK | RST, ConnState::RstR),
            (SYN | RST, 0, ConnState::RstOS0),
            (SYN | FIN, 0, ConnState::Sh),
            (0, SYN_ACK | RST, ConnState::RstRH),
            (0, SYN_ACK | FIN, ConnState::ShR),
            (DATA, ACK, ConnState::Oth),
        ] {
            assert_eq!(ConnState::of_tcp(client, server), state, "{client:#x} {server:#x}");
        }
    }
}
