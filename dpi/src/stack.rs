//! Protocol stacks: what rides on what in a flow, outermost first.

use crate::app::{self, AppId};

/// Layers of a stack at most; further ones are left out.
pub const DEPTH: usize = 8;

/// See the module. Two bytes a layer, little endian, in metadata.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stack {
    layers: [AppId; DEPTH],
    used: u8,
}

impl Stack {
    /// No layers.
    pub const EMPTY: Stack = Stack { layers: [AppId::UNKNOWN; DEPTH], used: 0 };

    /// Puts a layer on top. What is unknown, or there already, adds nothing.
    pub fn push(&mut self, app: AppId) {
        if app == AppId::UNKNOWN || self.layers().contains(&app) {
            return;
        }
        if let Some(place) = self.layers.get_mut(usize::from(self.used)) {
            *place = app;
            self.used += 1;
        }
    }

    /// The layers, outermost first.
    pub fn layers(&self) -> &[AppId] {
        self.layers.get(..usize::from(self.used)).unwrap_or_default()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// The form in metadata.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.layers().iter().flat_map(|app| app.0.to_le_bytes()));
    }

    /// Reads the form in metadata; layers beyond [`DEPTH`] and a last odd byte are left out.
    pub fn decode(bytes: &[u8]) -> Stack {
        let mut stack = Stack::EMPTY;
        let (pairs, _) = bytes.as_chunks::<2>();
        for pair in pairs.iter().take(DEPTH) {
            stack.push(AppId(u16::from_le_bytes(*pair)));
        }
        stack
    }
}

impl std::fmt::Display for Stack {
    /// `UDP.STUN.DTLS.WhatsAppCall`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, layer) in self.layers().iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            f.write_str(app::describe(*layer).name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_stand_in_order_and_once() {
        let mut stack = Stack::EMPTY;
        for app in [AppId::UDP, AppId::STUN, AppId::UNKNOWN, AppId::STUN, AppId::DTLS] {
            stack.push(app);
        }
        assert_eq!(stack.to_string(), "UDP.STUN.DTLS");
        let mut bytes = Vec::new();
        stack.encode(&mut bytes);
        assert_eq!(Stack::decode(&bytes), stack);
        assert_eq!(Stack::decode(&bytes[..5]).layers(), [AppId::UDP, AppId::STUN]);
    }

    #[test]
    fn a_full_stack_takes_no_more() {
        let mut stack = Stack::EMPTY;
        for id in 1..=20 {
            stack.push(AppId(id));
        }
        assert_eq!(stack.layers().len(), DEPTH);
        let many: Vec<u8> = (1..=200_u16).flat_map(u16::to_le_bytes).collect();
        assert_eq!(Stack::decode(&many), stack);
    }
}
