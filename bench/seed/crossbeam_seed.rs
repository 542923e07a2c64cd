// SPDX-License-Identifier: MIT
// The article's benchmark with crossbeam-channel: the program of go_seed.go, with a thread where that has
// a goroutine. The closer is not needed: a channel is closed when its last sender is gone.
// Needs: crossbeam-channel

#[path = "../program/program.rs"]
mod program;

use crossbeam_channel::{bounded, select, Receiver, Sender};
use std::thread;

fn worker(done: Receiver<()>, jobs: Receiver<i64>, results: Sender<i64>) {
    loop {
        select! {
            recv(done) -> _ => return,
            recv(jobs) -> job => match job {
                Err(_) => return,
                Ok(job) => select! {
                    recv(done) -> _ => return,
                    send(results, job.wrapping_mul(job)) -> sent => sent.expect("results is open"),
                },
            },
        }
    }
}

fn drain(results: Receiver<i64>) -> u64 {
    results.iter().fold(0, |sum: u64, v| sum.wrapping_add(v as u64))
}

fn pool(n: i64, workers: i64, depth: usize) -> u64 {
    let (_cancel, done) = bounded::<()>(0); // disconnected when _cancel is dropped
    let (send_job, jobs) = bounded(depth);
    let (send_result, results) = bounded(depth);
    let mut threads = vec![thread::spawn(move || {
        for i in 1..=n {
            send_job.send(i).expect("jobs is open");
        }
    })];
    for _ in 0..workers {
        let (done, jobs, results) = (done.clone(), jobs.clone(), send_result.clone());
        threads.push(thread::spawn(move || worker(done, jobs, results)));
    }
    drop((jobs, send_result));
    let sum = drain(results);
    for t in threads {
        t.join().expect("no thread panics");
    }
    sum
}

fn expected(n: i64) -> u64 {
    (1..=n).fold(0, |sum: u64, i| sum.wrapping_add((i as u64).wrapping_mul(i as u64)))
}

fn main() {
    let mut p = program::Program::new("crossbeam");
    let workers = p.count("workers", 8);
    let depth = p.count("depth", 1024) as usize;
    let n = p.count("jobs", 100_000);
    if p.which() != "pool" {
        p.unknown_case();
    }
    pool(n / 10, workers, depth); // warm-up
    let mut sum = 0;
    let ns = program::time_ns(|| sum = pool(n, workers, depth));
    p.check(sum == expected(n), "wrong sum: jobs were lost or doubled");
    p.print(&[("ns", ns / n as f64)]);
}
