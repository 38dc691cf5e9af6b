//! What a flow is for.

use super::{AppId, Category, describe};

/// What a flow of `master` that carries `app` is for: what the application is for, or the protocol
/// where there is none. Who asks for a name, or moves mail, does that and nothing else, whatever
/// the host is.
pub fn category(master: AppId, app: AppId) -> Category {
    let protocol_tells = matches!(
        master,
        AppId::DNS
            | AppId::MDNS
            | AppId::LLMNR
            | AppId::IMAPS
            | AppId::POP3S
            | AppId::SMTPS
            | AppId::MQTTS
            | AppId::FTPS
    );
    let by = if protocol_tells || app == AppId::UNKNOWN { master } else { app };
    describe(by).category
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_mail_are_that_whatever_the_host() {
        for (master, app, for_what) in [
            (AppId::TLS, AppId::NETFLIX, Category::Streaming),
            (AppId::DNS, AppId::NETFLIX, Category::Network),
            (AppId::MDNS, AppId::MDNS, Category::Network),
            (AppId::IMAPS, AppId::GOOGLE, Category::Email),
            (AppId::TLS, AppId::UNKNOWN, Category::Web),
            (AppId::UNKNOWN, AppId::NETFLIX, Category::Streaming),
            (AppId::UNKNOWN, AppId::UNKNOWN, Category::Unspecified),
        ] {
            assert_eq!(category(master, app), for_what, "{master:?} {app:?}");
        }
    }
}
