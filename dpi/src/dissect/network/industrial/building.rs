//! Buildings, plants and vehicles: BACnet/IP (ASHRAE 135 annex J), KNXnet/IP (ISO 22510), HART-IP
//! (HCF specification 85), SOME/IP (AUTOSAR R22-11, protocol specification), Ethernet Global Data,
//! Ether-S-Bus, CEA-852 control networks.

use super::super::{BOTH, UDP, judged};
use crate::app::AppId;
use crate::reader::Reader;
use crate::view::{Dissector, First, Transport, View};

/// BACnet/IP.
pub(in super::super) const BACNET: Dissector = Dissector {
    app: AppId::BACNET,
    over: UDP,
    ports: &[47808],
    ports_only: false,
    first: First::OneOf(&[0x81]),
    run: |view, _| judged(view, AppId::BACNET, is_bacnet(view.data)),
};

/// KNXnet/IP.
pub(in super::super) const KNX: Dissector = Dissector {
    app: AppId::KNX,
    over: BOTH,
    ports: &[3671],
    ports_only: false,
    first: First::OneOf(&[0x06]),
    run: |view, _| judged(view, AppId::KNX, is_knx(view)),
};

/// HART-IP.
pub(in super::super) const HART_IP: Dissector = Dissector {
    app: AppId::HART_IP,
    over: BOTH,
    ports: &[5094, 5095],
    ports_only: true,
    first: First::OneOf(&[1]),
    run: |view, _| judged(view, AppId::HART_IP, is_hart(view)),
};

/// SOME/IP and its service discovery.
pub(in super::super) const SOMEIP: Dissector = Dissector {
    app: AppId::SOMEIP,
    over: UDP,
    ports: &[30490, 30491, 30501],
    ports_only: false,
    first: First::Any,
    run: |view, _| judged(view, AppId::SOMEIP, is_someip(view.data)),
};

/// Ethernet Global Data.
pub(in super::super) const EGD: Dissector = Dissector {
    app: AppId::EGD,
    over: UDP,
    ports: &[18246],
    ports_only: true,
    first: First::OneOf(&[0x0d]),
    run: |view, _| {
        judged(view, AppId::EGD, Some(view.data.starts_with(&[0x0d, 1]) && view.data.len() >= 32))
    },
};

/// Ether-S-Bus.
pub(in super::super) const ETHER_S_BUS: Dissector = Dissector {
    app: AppId::ETHER_S_BUS,
    over: UDP,
    ports: &[5050],
    ports_only: true,
    first: First::OneOf(&[0]),
    run: |view, _| judged(view, AppId::ETHER_S_BUS, is_ether_s_bus(view.data)),
};

/// Control networks over IP.
pub(in super::super) const CNP_IP: Dissector = Dissector {
    app: AppId::CNP_IP,
    over: UDP,
    ports: &[1628, 1629],
    ports_only: true,
    first: First::Ranges(&[(0, 5)]),
    run: |view, _| judged(view, AppId::CNP_IP, is_cnp_ip(view.data)),
};

/// Function, length; for those functions that carry one, the network layer's version 1.
fn is_bacnet(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    reader.skip(1)?;
    let (function, length) = (reader.u8()?, usize::from(reader.u16()?));
    if length != data.len() {
        return Some(false);
    }
    Some(match function {
        0x00 => length == 6,
        0x01..=0x03 | 0x05..=0x08 | 0x0c => true,
        // Forwarded: behind the address of the origin.
        0x04 => {
            reader.skip(6)?;
            reader.u8()? == 1
        }
        0x09..=0x0b => reader.u8()? == 1,
        _ => false,
    })
}

/// Header length, version, service, total length.
fn is_knx(view: &View<'_>) -> Option<bool> {
    let mut reader = Reader::new(view.data);
    reader.skip(1)?;
    let version = reader.u8()?;
    let (family, service) = (reader.u8()?, reader.u8()?);
    // Core, device management, tunnelling, routing, remote logging and diagnosis, security.
    let known = match family {
        0x02 => matches!(service, 0x01..=0x0c),
        0x03 | 0x05 | 0x06 | 0x07 => matches!(service, 0x10..=0x1f | 0x30..=0x33 | 0x40..=0x43),
        0x04 => matches!(service, 0x20..=0x25),
        0x09 => matches!(service, 0x50..=0x56),
        _ => false,
    };
    let length = usize::from(reader.u16()?);
    let fits = match view.transport {
        Transport::Udp => length == view.data.len(),
        Transport::Tcp => (6..=512).contains(&length),
    };
    Some(version == 0x10 && known && fits)
}

/// Version, type, number, status, sequence, length.
fn is_hart(view: &View<'_>) -> Option<bool> {
    let mut reader = Reader::new(view.data);
    reader.skip(1)?;
    let (kind, number, status) = (reader.u8()?, reader.u8()?, reader.u8()?);
    reader.skip(2)?;
    let length = usize::from(reader.u16()?);
    let fits = match view.transport {
        Transport::Udp => length == view.data.len(),
        Transport::Tcp => (8..=2048).contains(&length),
    };
    Some(matches!(kind, 0..=3 | 15) && number <= 6 && (status == 0 || kind != 0) && fits)
}

/// Message, length of what follows it, client and session, versions, type, return code.
fn is_someip(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let service = reader.u16()?;
    reader.skip(2)?;
    let length = usize::try_from(reader.u32()?).ok()?;
    if length != reader.left() || length < 8 {
        return Some(false);
    }
    reader.skip(4)?;
    let (protocol, _interface) = (reader.u8()?, reader.u8()?);
    let (kind, code) = (reader.u8()?, reader.u8()?);
    // Request, without return, notification; response, error; each also in segments (0x20).
    let known = matches!(kind & !0x20, 0x00..=0x02 | 0x40..=0x42 | 0x80 | 0x81 | 0xc0 | 0xc1);
    let asks = kind & 0x80 == 0;
    Some(service != 0 && protocol == 1 && known && code <= 0x5e && (code == 0 || !asks))
}

/// Length, version, protocol, sequence, then request, response or acknowledgement.
fn is_ether_s_bus(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let length = usize::try_from(reader.u32()?).ok()?;
    let (version, protocol) = (reader.u8()?, reader.u8()?);
    reader.skip(2)?;
    Some(length == data.len() && version <= 1 && protocol <= 1 && reader.u8()? <= 2)
}

/// Length, version, packet type, an extension's size, flags, vendor, session, sequence.
fn is_cnp_ip(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let (length, version, kind) = (usize::from(reader.u16()?), reader.u8()?, reader.u8()?);
    let known = matches!(kind, 0x01 | 0x03 | 0x04 | 0x06..=0x08 | 0x22 | 0x60..=0x7f);
    Some(length == data.len() && version == 1 && known && length >= 20)
}
