//! The protocols under loom: every order in which one writer and one reader can meet, with the
//! weakest memory that the orderings in the code allow.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p weir-shm --lib --release model`

use crate::{
    arena::{ArenaReader, ArenaWriter, TOP_BYTES},
    counters::{CounterWriter, block_words, read_block},
    flow::{FlowSlot, FlowSnapshot, SlotRead, WORD_FLOW_ID, WORD_VERSION, read_slot},
    records::{
        EndReason, HEAD_WORDS, Next, Record, RecordKind, RecordReader, RecordWriter, StartAt,
    },
    segment::{ReadWords, pair},
};
use loom::{sync::Arc, thread};

/// Runs a model. Three forced switches between the threads find what these protocols can get wrong,
/// and keep the number of orders within seconds.
fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// A flow that is written, changed and given to another flow is never seen mixed.
#[test]
fn a_slot_is_read_whole() {
    check(|| {
        let slot = Arc::new(FlowSlot::new());
        let write = Arc::clone(&slot);
        let writer = thread::spawn(move || {
            for round in 1..=2 {
                write.begin();
                write.store(1, round);
                write.store(5, round);
                write.store(WORD_FLOW_ID, round);
                write.commit();
            }
        });
        if let SlotRead::Read(flow) = read_slot(|word| slot.load(word), |_| true) {
            let round = flow.flow_id();
            assert_eq!((flow.words[1], flow.words[5]), (round, round));
            assert_eq!(flow.words[WORD_VERSION], round * 2);
        }
        writer.join().unwrap();
    });
}

/// A flow that can be read has the metadata that was written with its identity.
fn metadata_is_the_flows(slot: &FlowSlot, arena: ReadWords) {
    let reader = ArenaReader::new(arena);
    let mut meta = Vec::new();
    let read = read_slot(|word| slot.load(word), |flow| reader.load(flow.meta_ref(), &mut meta));
    if let SlotRead::Read(flow) = read {
        assert_eq!(meta, [flow.flow_id().to_le_bytes()[0]; 8]);
    }
}

/// Metadata read with a flow is that flow's, although its block is used again at once.
#[test]
fn metadata_belongs_to_its_flow() {
    check(|| {
        let (arena_words, reader_words) = pair(TOP_BYTES / 8);
        let slot = Arc::new(FlowSlot::new());
        let write = Arc::clone(&slot);
        let mut arena = ArenaWriter::new(arena_words);
        let publish = |arena: &mut ArenaWriter, slot: &FlowSlot, round: u8| {
            let old = slot.meta_ref();
            slot.begin();
            if old != 0 {
                arena.free(old);
            }
            slot.set_meta_ref(arena.store(&[round; 8]).unwrap());
            slot.store(WORD_FLOW_ID, u64::from(round));
            slot.commit();
        };
        publish(&mut arena, &slot, 1);
        let writer = thread::spawn(move || publish(&mut arena, &write, 2));
        metadata_is_the_flows(&slot, reader_words);
        writer.join().unwrap();
    });
}

/// Metadata that is written anew in its block is read as it was, or as it is.
#[test]
fn metadata_written_anew_is_read_whole() {
    check(|| {
        let (arena_words, reader_words) = pair(TOP_BYTES / 8);
        let slot = Arc::new(FlowSlot::new());
        let write = Arc::clone(&slot);
        let mut arena = ArenaWriter::new(arena_words);
        slot.begin();
        slot.set_meta_ref(arena.store(&[1; 8]).unwrap());
        slot.store(WORD_FLOW_ID, 1);
        slot.commit();
        let writer = thread::spawn(move || {
            write.begin();
            assert!(arena.rewrite(write.meta_ref(), &[2; 8]));
            write.store(WORD_FLOW_ID, 2);
            write.commit();
        });
        metadata_is_the_flows(&slot, reader_words);
        writer.join().unwrap();
    });
}

/// Counters published as one set are read as one set.
#[test]
fn a_set_of_counters_is_read_whole() {
    check(|| {
        let (write, read) = pair(block_words(2));
        let mut counters = CounterWriter::new(write, 2);
        let writer = thread::spawn(move || {
            counters.publish(&[1, 1]);
            counters.publish(&[2, 2]);
        });
        let mut values = Vec::new();
        if read_block(&read, 2, &mut values) {
            assert_eq!(values[0], values[1]);
        }
        writer.join().unwrap();
    });
}

/// A ring that holds one record and a half: what is read is whole and in order, what is not read
/// is counted, and nothing sound is called corrupt.
#[test]
fn a_reader_of_records_balances() {
    const RECORDS: u64 = 3;
    check(|| {
        let ((head_write, head), (ring_write, ring)) = (pair(HEAD_WORDS), pair(8));
        let mut records = RecordWriter::new(head_write, ring_write);
        let mut reader = RecordReader::new(head, ring, StartAt::Now);
        let writer = thread::spawn(move || {
            for number in 0..RECORDS {
                let mut flow = FlowSnapshot::default();
                flow.words[0] = number * 7;
                records.push(RecordKind::Updated, EndReason::None, number, &flow, &[], &[]);
            }
        });
        let (mut record, mut expected) = (Record::default(), 0);
        let mut step = |expected: &mut u64| {
            match reader.next(&mut record) {
                Next::Record => {
                    assert_eq!(record.sequence, *expected);
                    assert_eq!((record.time_ns, record.flow.words[0]), (*expected, *expected * 7));
                    *expected += 1;
                }
                Next::Missed(count) => *expected += count,
                Next::Empty => return false,
                Next::Corrupt => panic!("the ring is sound"),
            }
            true
        };
        step(&mut expected);
        step(&mut expected);
        writer.join().unwrap();
        while step(&mut expected) {}
        assert_eq!(expected, RECORDS);
    });
}

/// A reader that comes while the writer is at work knows where it stands: it never takes a sound
/// ring for corrupt, and reads to the end.
#[test]
fn a_reader_of_records_starts_at_any_time() {
    check(|| {
        let ((head_write, head), (ring_write, ring)) = (pair(HEAD_WORDS), pair(32));
        let mut records = RecordWriter::new(head_write, ring_write);
        let push = |records: &mut RecordWriter, number| {
            let mut flow = FlowSnapshot::default();
            flow.words[0] = number * 7;
            records.push(RecordKind::Updated, EndReason::None, number, &flow, &[], &[]);
        };
        push(&mut records, 0);
        let writer = thread::spawn(move || {
            push(&mut records, 1);
            push(&mut records, 2);
            records
        });
        let mut reader = RecordReader::new(head, ring, StartAt::Now);
        let mut records = writer.join().unwrap();
        push(&mut records, 3);
        let (mut record, mut last) = (Record::default(), None);
        loop {
            match reader.next(&mut record) {
                Next::Record => {
                    assert_eq!(record.flow.words[0], record.sequence * 7);
                    last = Some(record.sequence);
                }
                Next::Missed(_) => {}
                Next::Empty => break,
                Next::Corrupt => panic!("the ring is sound"),
            }
        }
        assert_eq!(last, Some(3));
    });
}
