//! Industry, utilities, buildings, vehicles, laboratories.

pub(super) mod building;
pub(super) mod cip;
pub(super) mod crc;
pub(super) mod lab;
pub(super) mod modbus;
pub(super) mod opc_ua;
pub(super) mod telecontrol;
pub(super) mod tpkt;
