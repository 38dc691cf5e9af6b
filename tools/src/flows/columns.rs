//! Which fields a table shows, and how they give way.

use crate::exit::{Code, failure};
use crate::field::{self, FIELDS, Field, Key, Kind};
use crate::filter;
use crate::table::Column;
use crate::{geo, resolve};
use weir_dpi::attr::ATTRIBUTES;

/// The fields of the table where none were chosen.
const DEFAULT: &[&str] =
    &["l4", "client", "server", "app", "host", "packets", "bytes", "duration", "idle"];

/// The fields of CSV where none were chosen: those of the JSON form that are one value.
const CSV: &[&str] = &[
    "src_ip",
    "src_port",
    "dst_ip",
    "dst_port",
    "l4",
    "vlan",
    "tunnel",
    "app",
    "category",
    "confidence",
    "hostname",
    "packets_c2s",
    "bytes_c2s",
    "packets_s2c",
    "bytes_s2c",
    "first_ns",
    "last_ns",
    "tcp_flags_c2s",
    "tcp_flags_s2c",
    "community_id",
    "flow_id",
    "shard",
];

/// The field called `name`.
///
/// # Errors
/// Says what was probably meant.
pub(crate) fn find(name: &str) -> anyhow::Result<Field> {
    Field::find(name).ok_or_else(|| {
        let advice = field::nearest(name).map_or_else(
            || "weir flows --help lists the fields".to_owned(),
            |name| format!("did you mean `{name}`?"),
        );
        let name = crate::terminal::clean(name);
        failure(Code::Usage, format!("there is no field `{name}`; {advice}"))
    })
}

/// The fields of the table where none were chosen.
pub(super) fn default() -> Vec<Field> {
    let known = whereabouts(&["src_name", "dst_name"], &["dst_asn"], &["dst_country"]);
    DEFAULT.iter().copied().chain(known).filter_map(Field::find).collect()
}

/// The fields of CSV where none were chosen.
pub(super) fn csv() -> Vec<Field> {
    let known = whereabouts(
        &["src_name", "dst_name"],
        &["src_asn", "dst_asn"],
        &["src_country", "dst_country"],
    );
    CSV.iter().copied().chain(known).filter_map(Field::find).collect()
}

/// Of names, autonomous systems and countries those that the reader has anything of.
fn whereabouts(
    names: &[&'static str],
    asns: &[&'static str],
    countries: &[&'static str],
) -> Vec<&'static str> {
    let geo = geo::known();
    let mut fields = Vec::new();
    if resolve::is_on() {
        fields.extend(names);
    }
    if geo.has_asns() {
        fields.extend(asns);
    }
    if geo.has_countries() {
        fields.extend(countries);
    }
    fields
}

/// How `field` stands in a table of `all`. Only the columns nobody asked for may be left out.
pub(super) fn layout(field: Field, all: &[Field]) -> Column {
    let by_default = all == default().as_slice();
    let (at_least, dispensable) = match field {
        Field::Known(def) => match def.key {
            // An IPv4 address with its port is whole.
            Key::Client | Key::Server => (21, 0),
            Key::Src | Key::Dst => (15, 0),
            Key::App | Key::SrcName | Key::DstName => (8, 0),
            Key::Host => (10, 0),
            Key::DstAsn => (8, 5),
            Key::Idle => (0, 4),
            Key::Duration => (0, 3),
            Key::Packets => (0, 2),
            Key::L4 => (0, 1),
            _ => (0, 0),
        },
        Field::Attr(_) => (8, 0),
    };
    Column {
        title: field.name(),
        right: matches!(field.kind(), Kind::Number(_)),
        at_least,
        dispensable: if by_default { dispensable } else { 0 },
    }
}

/// The long help: the filter language, then every field.
pub(super) fn manual() -> String {
    let mut text = format!("{}\n\nFields (the name in JSON and CSV works, too):\n", filter::HELP);
    for row in FIELDS {
        let name = if row.name == row.long {
            row.name.into()
        } else {
            format!("{}, {}", row.name, row.long)
        };
        text.extend([format!("  {name:<28} "), row.help.to_owned(), "\n".to_owned()]);
    }
    text.push_str("\nAttributes that dissectors find:\n");
    let mut line = String::from(" ");
    for attr in ATTRIBUTES {
        let name = Field::Attr(attr).name();
        if line.len() + name.len() + 1 > 90 {
            text.push_str(&line);
            text.push('\n');
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(&name);
    }
    text.push_str(&line);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chosen_field_exists() {
        assert_eq!(default().len(), DEFAULT.len());
        assert_eq!(csv().len(), CSV.len());
        let longs: Vec<String> = csv().iter().map(|field| field.long_name()).collect();
        assert_eq!(longs, CSV);
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_right_one() {
        let error = find("byts").unwrap_err().to_string();
        assert_eq!(error, "there is no field `byts`; did you mean `bytes`?");
    }
}
