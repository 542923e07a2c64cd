// SPDX-License-Identifier: MIT
// How crossbeam-channel behaves, with threads; see weir_behaviour.cpp.
// Needs: crossbeam-channel

use crossbeam_channel::{bounded, select, Receiver, Sender};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const SOON: Duration = Duration::from_millis(50);
const MOMENT: Duration = Duration::from_micros(20);

fn judge(as_wanted: bool, what: &str) {
    println!("{}: {}", if as_wanted { "passes" } else { "lost" }, what);
}

fn cancel() {
    let (cancel, done) = bounded::<()>(0);
    let (full, _kept) = bounded(1);
    full.send(1).expect("there is room");
    let submitter = thread::spawn(move || {
        select! {
            send(full, 2) -> _ => false,
            recv(done) -> _ => true,
        }
    });
    thread::sleep(SOON);
    drop(cancel);
    judge(submitter.join().expect("no panic"), "select! with a channel that is dropped");
}

fn close() {
    let (full, last_receiver) = bounded(0);
    let (last_sender, empty) = bounded::<i32>(0);
    let sender = thread::spawn(move || full.send(1).is_err());
    let receiver = thread::spawn(move || empty.recv().is_err());
    thread::sleep(SOON);
    drop((last_receiver, last_sender));
    let both = sender.join().expect("no panic") && receiver.join().expect("no panic");
    judge(both, "no close: by dropping the other side, both have an error");
}

fn consume(a: Receiver<i64>, b: Receiver<i64>, sum: Arc<AtomicI64>) {
    loop {
        let got = select! {
            recv(a) -> v => v,
            recv(b) -> v => v,
            default(MOMENT) => continue,
        };
        match got {
            // Ordering: relaxed; the threads are joined before it is read.
            Ok(v) => sum.fetch_add(v, Ordering::Relaxed),
            Err(_) => return,
        };
    }
}

fn produce(a: Sender<i64>, b: Sender<i64>, n: i64) {
    for i in 1..=n {
        loop {
            select! {
                send(a, i) -> sent => break sent.expect("a is open"),
                send(b, i) -> sent => break sent.expect("b is open"),
                default(MOMENT) => {}
            }
        }
    }
}

fn selects() {
    let n = 5_000;
    let ((send_a, a), (send_b, b)) = (bounded(0), bounded(0));
    let sum = Arc::new(AtomicI64::new(0));
    let consumers: Vec<_> = (0..4)
        .map(|_| {
            let (a, b, sum) = (a.clone(), b.clone(), sum.clone());
            thread::spawn(move || consume(a, b, sum))
        })
        .collect();
    produce(send_a, send_b, n);
    for c in consumers {
        c.join().expect("no panic");
    }
    judge(sum.load(Ordering::Relaxed) == n * (n + 1) / 2, "each value arrived once");
}

fn spin() {
    let begun = Arc::new(AtomicI64::new(0));
    let jobs: Vec<_> = (0..2)
        .map(|_| {
            let begun = begun.clone();
            thread::spawn(move || {
                begun.fetch_add(1, Ordering::SeqCst);
                while begun.load(Ordering::SeqCst) < 2 {}
            })
        })
        .collect();
    for job in jobs {
        job.join().expect("no panic");
    }
    judge(true, "two threads");
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("cancel") => cancel(),
        Some("close") => close(),
        Some("select") => selects(),
        Some("spin") => spin(),
        _ => std::process::exit(3),
    }
}
