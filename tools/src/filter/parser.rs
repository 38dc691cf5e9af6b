//! From tokens to a typed tree, by recursive descent: `or` binds least, then `and`, then `not`.

use std::net::IpAddr;

use super::Fault;
use super::ast::{Expr, Item, Network, Op, Value};
use super::lexer::{self, Placed, Token};
use crate::field::{self, Field, Kind};
use crate::flow;
use crate::names;
use crate::units;

/// Bytes of a filter at most.
const INPUT_BYTES: usize = 4096;
/// Parentheses and `not`s inside one another at most.
const DEPTH: usize = 32;

/// Reads a whole filter.
pub(super) fn parse(text: &str) -> Result<Expr, Fault> {
    if text.len() > INPUT_BYTES {
        let message = format!("a filter has {INPUT_BYTES} bytes at most");
        return Err(Fault { from: 0, to: 0, message, advice: None });
    }
    let tokens = lexer::tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, end: text.len(), depth: 0 };
    let expr = parser.any_of()?;
    match parser.peek() {
        None => Ok(expr),
        Some(Token::Close) => Err(parser.fault("no parenthesis is open here", None)),
        Some(_) => {
            let advice = "join conditions by `and` or `or`; quote text that has blanks";
            Err(parser.fault("expected `and`, `or` or the end", Some(advice)))
        }
    }
}

struct Parser<'a> {
    tokens: &'a [Placed],
    at: usize,
    end: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).map(|placed| &placed.token)
    }

    /// Steps over `token` if it is next.
    fn take(&mut self, token: &Token) -> bool {
        let is_next = self.peek() == Some(token);
        self.at += usize::from(is_next);
        is_next
    }

    /// A complaint about the next token, or about the end.
    fn fault(&self, message: impl Into<String>, advice: Option<&str>) -> Fault {
        let (from, to) = self.tokens.get(self.at).map_or((self.end, self.end), |t| (t.from, t.to));
        Fault { from, to, message: message.into(), advice: advice.map(str::to_owned) }
    }

    fn any_of(&mut self) -> Result<Expr, Fault> {
        let mut parts = vec![self.all_of()?];
        while self.take(&Token::Or) {
            parts.push(self.all_of()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expr::Or(parts) })
    }

    fn all_of(&mut self) -> Result<Expr, Fault> {
        let mut parts = vec![self.one()?];
        while self.take(&Token::And) {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expr::And(parts) })
    }

    fn one(&mut self) -> Result<Expr, Fault> {
        self.depth += 1;
        if self.depth > DEPTH {
            let message = format!("more than {DEPTH} parentheses and `not`s inside one another");
            return Err(self.fault(message, Some("write it flatter, with `in {…}` for lists")));
        }
        let expr = if self.take(&Token::Not) {
            Expr::Not(Box::new(self.one()?))
        } else if self.take(&Token::Open) {
            let inner = self.any_of()?;
            if !self.take(&Token::Close) {
                return Err(self.fault("a parenthesis is not closed", Some("add `)`")));
            }
            inner
        } else {
            self.condition()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn condition(&mut self) -> Result<Expr, Fault> {
        let field = self.field()?;
        if let Some(Token::Word(word)) = self.peek()
            && word.eq_ignore_ascii_case("in")
        {
            self.at += 1;
            return Ok(Expr::In(field, self.set(field)?));
        }
        let Some(Token::Op(op)) = self.peek() else { return Ok(Expr::IsSet(field)) };
        if let Some((message, advice)) = misfit(field, *op) {
            return Err(self.fault(message, Some(advice)));
        }
        self.at += 1;
        Ok(Expr::Compare(field, *op, self.value(field)?))
    }

    fn field(&mut self) -> Result<Field, Fault> {
        let Some(Token::Word(word)) = self.peek() else {
            let advice = "begin with a field: app, host, src, bytes … (weir flows --help)";
            return Err(self.fault("expected a field", Some(advice)));
        };
        let Some(field) = Field::find(word) else {
            let shown: String = word.chars().take(40).collect();
            let advice = field::nearest(word).map_or_else(
                || "weir flows --help lists the fields".to_owned(),
                |name| format!("did you mean `{name}`?"),
            );
            return Err(self.fault(format!("there is no field `{shown}`"), Some(&advice)));
        };
        self.at += 1;
        Ok(field)
    }

    /// The text of the next token, where it can be a value.
    fn literal(&self) -> Result<&'a str, Fault> {
        match self.peek() {
            Some(Token::Word(text) | Token::Text(text)) => Ok(text),
            Some(Token::And | Token::Or | Token::Not) => {
                Err(self.fault("expected a value", Some("quote it if the word itself is meant")))
            }
            Some(_) | None => Err(self.fault("expected a value", None)),
        }
    }

    fn value(&mut self, field: Field) -> Result<Value, Fault> {
        let text = self.literal()?;
        let value = match field.kind() {
            Kind::Text => Some(Value::Text(text.to_owned())),
            Kind::Address => {
                text.parse::<IpAddr>().ok().map(|ip| Value::Address(flow::from_ip(ip)))
            }
            Kind::Number(_) | Kind::Confidence => number(field, text).map(Value::Number),
        };
        match value {
            Some(value) => {
                self.at += 1;
                Ok(value)
            }
            None if network(text).is_some() => {
                let advice = format!("write `{} in {text}`", field.name());
                Err(self.fault("this is a network, not an address", Some(&advice)))
            }
            None => Err(self.wrong_value(field)),
        }
    }

    fn wrong_value(&self, field: Field) -> Fault {
        let (what, advice) = match field.kind() {
            Kind::Address => ("an address", "such as 192.0.2.1 or 2001:db8::1".to_owned()),
            Kind::Number(quantity) => ("a number", format!("such as {}", quantity.examples())),
            Kind::Confidence => {
                ("a confidence", format!("one of {}", names::CONFIDENCES.join(", ")))
            }
            Kind::Text => ("text", "quote it".to_owned()),
        };
        self.fault(format!("`{}` wants {what} here", field.name()), Some(&advice))
    }

    /// What stands behind `in`: one member, or several in braces.
    fn set(&mut self, field: Field) -> Result<Vec<Item>, Fault> {
        if !self.take(&Token::OpenSet) {
            return Ok(vec![self.item(field)?]);
        }
        let mut items = vec![self.item(field)?];
        while self.take(&Token::Comma) {
            items.push(self.item(field)?);
        }
        if self.take(&Token::CloseSet) {
            return Ok(items);
        }
        Err(self.fault("expected `,` or `}`", Some("members of a set stand between commas")))
    }

    fn item(&mut self, field: Field) -> Result<Item, Fault> {
        let text = self.literal()?;
        let item = match field.kind() {
            Kind::Text => Some(Item::Text(text.to_owned())),
            Kind::Address => network(text).map(Item::Network),
            Kind::Number(_) | Kind::Confidence => {
                let (from, to) = text.split_once("..").unwrap_or((text, text));
                number(field, from).zip(number(field, to)).map(|(from, to)| Item::Range(from, to))
            }
        };
        let Some(item) = item else { return Err(self.wrong_value(field)) };
        if matches!(item, Item::Range(from, to) if from > to) {
            return Err(self.fault("the range is empty", Some("write the smaller number first")));
        }
        self.at += 1;
        Ok(item)
    }
}

/// Why `field` does not compare that way.
fn misfit(field: Field, op: Op) -> Option<(&'static str, &'static str)> {
    let contains = matches!(op, Op::Contains | Op::ContainsNot);
    let order = !contains && !matches!(op, Op::Equal | Op::NotEqual);
    match field.kind() {
        Kind::Text if order => Some(("text has no order", "use ==, !=, ~ or in")),
        Kind::Address if order => Some(("addresses have no order here", "use ==, != or in")),
        Kind::Address if contains => {
            Some(("an address does not contain text", "use `in` with a network: in 10.0.0.0/8"))
        }
        Kind::Number(_) | Kind::Confidence if contains => {
            Some(("a number does not contain text", "use ==, !=, <, <=, >, >= or in"))
        }
        _ => None,
    }
}

fn number(field: Field, text: &str) -> Option<u64> {
    match field.kind() {
        Kind::Number(quantity) => units::parse(text, quantity),
        Kind::Confidence => {
            let at = names::CONFIDENCES.iter().position(|name| name.eq_ignore_ascii_case(text));
            at.and_then(|at| u64::try_from(at).ok())
        }
        Kind::Text | Kind::Address => None,
    }
}

/// `10.0.0.0/8`, `2001:db8::/32` or an address alone.
fn network(text: &str) -> Option<Network> {
    let (ip, prefix) = match text.split_once('/') {
        Some((ip, prefix)) => (ip, Some(prefix.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let ip: IpAddr = ip.parse().ok()?;
    let (most, before) = if ip.is_ipv4() { (32, 96) } else { (128, 0) };
    let prefix = prefix.unwrap_or(most);
    (prefix <= most).then(|| Network::new(flow::from_ip(ip), prefix + before))
}
