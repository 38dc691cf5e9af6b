//! `benches/src/bin/fanout.rs` over iceoryx2: one publisher, subscribers that spin, a publisher
//! that waits where one of them is slow.

#[path = "../../../benches/src/hand_over.rs"]
#[expect(dead_code, reason = "the other program uses all of it")]
mod hand_over;

use std::error::Error;
use std::time::Duration;

use hand_over::{Receiver, Sender};
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::port::update_connections::UpdateConnections;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

type Message = [u64; 8];

const MESSAGES: u64 = 500_000;
const FLOOD: Duration = Duration::from_secs(3);
/// Messages that a subscriber may lag: as many as Weir's window by default.
const BUFFER: usize = 4096;
/// Messages sent between two looks at the clock.
const TURN: u64 = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let name = format!("weir/perf/{}", std::process::id());
    let mut sender = Out { publisher: open(&name)?.publisher_builder().create()? };
    let subscriber = || In::open(&name).expect("a subscriber");
    let times = hand_over::latency(&mut sender, subscriber, MESSAGES);
    let flood = hand_over::flood(&mut sender, vec![subscriber; 3], FLOOD);
    println!("{}", hand_over::LATENCY_HEAD);
    println!("{}", hand_over::report_latency("iceoryx2", &times));
    println!("\n{}\n{}", hand_over::FLOOD_HEAD, hand_over::report_flood("iceoryx2", &flood));
    Ok(())
}

fn open(name: &str) -> Result<PortFactory<ipc::Service, Message, ()>, Box<dyn Error>> {
    let node = NodeBuilder::new().create::<ipc::Service>()?;
    let service = node
        .service_builder(&name.try_into()?)
        .publish_subscribe::<Message>()
        .max_publishers(1)
        .max_subscribers(4)
        .history_size(0)
        .subscriber_max_buffer_size(BUFFER)
        .enable_safe_overflow(false)
        .open_or_create()?;
    Ok(service)
}

struct Out {
    publisher: Publisher<ipc::Service, Message, ()>,
}

impl Sender for Out {
    fn attend(&mut self) {
        // Publishers see new subscribers as they send, or when told to look.
        self.publisher.update_connections().ok();
    }

    fn send(&mut self, number: u64) {
        if let Ok(sample) = self.publisher.loan_uninit() {
            sample.write_payload([0, number, 0, 0, 0, 0, 0, number]).send().ok();
        }
    }

    fn send_some(&mut self) -> u64 {
        for number in 0..TURN {
            self.send(number);
        }
        TURN
    }
}

struct In {
    subscriber: Subscriber<ipc::Service, Message, ()>,
}

impl In {
    fn open(name: &str) -> Result<In, Box<dyn Error>> {
        Ok(In { subscriber: open(name)?.subscriber_builder().create()? })
    }
}

impl Receiver for In {
    fn next(&mut self) -> Option<u64> {
        let sample = self.subscriber.receive().ok()??;
        Some(sample[1])
    }

    fn take_some(&mut self) -> u64 {
        let mut count = 0;
        while count < 256 && let Ok(Some(sample)) = self.subscriber.receive() {
            std::hint::black_box(*sample);
            count += 1;
        }
        count
    }
}
