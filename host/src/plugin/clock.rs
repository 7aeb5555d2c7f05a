//! The clock that ends plugins: a tick each millisecond while any runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use wasmtime::EngineWeak;

/// The length of a tick.
const TICK: Duration = Duration::from_millis(1);
/// How long nothing must have run before the clock goes to sleep.
const IDLE: Duration = Duration::from_secs(1);

/// Counts ticks while plugins run.
#[derive(Debug, Default)]
pub(super) struct Clock {
    ticks: AtomicU64,
    running: AtomicUsize,
    asleep: AtomicBool,
    stopped: AtomicBool,
}

/// The clock's thread. Ends with this value.
#[derive(Debug)]
pub(super) struct Ticker {
    clock: Arc<Clock>,
    thread: Option<JoinHandle<()>>,
}

/// A plugin is running as long as this value lives.
pub(super) struct Running<'a>(&'a Clock);

/// How much processor time this thread has used since it began. What others used meanwhile does not count.
#[cfg(unix)]
pub(super) fn used() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[allow(unsafe_code, reason = "the standard library does not tell processor time")]
    // SAFETY: clock_gettime(2) writes one timespec to where the pointer points.
    let told = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) } == 0;
    debug_assert!(told, "POSIX lets this fail for clocks that there are not, and unix has this one");
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// How much time has passed since the first call: elsewhere, time in which others have the processor counts.
#[cfg(not(unix))]
pub(super) fn used() -> Duration {
    static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    BEGAN.elapsed()
}

impl Clock {
    /// How many ticks have passed. Stands still while nothing runs.
    pub(super) fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// How many ticks fit into a time; the one under way comes on top.
    pub(super) fn ticks_in(time: Duration) -> u64 {
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn sleep_if_idle(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        // Whoever starts now either sees `asleep` and wakes this thread, or is seen here.
        while self.running.load(Ordering::SeqCst) == 0 && !self.stopped.load(Ordering::SeqCst) {
            thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }

    fn run(&self, engine: &EngineWeak) {
        let mut last = Instant::now();
        let mut last_busy = last;
        while !self.stopped.load(Ordering::Relaxed) {
            thread::sleep(TICK);
            let Some(engine) = engine.upgrade() else { return };
            // A thread that got no processor for a while makes up for it.
            while last.elapsed() >= TICK {
                last += TICK;
                self.ticks.fetch_add(1, Ordering::Relaxed);
                engine.increment_epoch();
            }
            if self.running.load(Ordering::Relaxed) > 0 {
                last_busy = last;
            } else if last_busy.elapsed() > IDLE {
                drop(engine);
                self.sleep_if_idle();
                last = Instant::now();
                last_busy = last;
            }
        }
    }
}

impl Ticker {
    /// Starts the clock of an engine.
    pub(super) fn start(engine: EngineWeak) -> std::io::Result<Self> {
        let clock = Arc::new(Clock::default());
        let shared = clock.clone();
        let thread = thread::Builder::new().name("plugin-clock".to_owned()).spawn(move || shared.run(&engine))?;
        Ok(Self { clock, thread: Some(thread) })
    }

    /// The clock.
    pub(super) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Says that a plugin runs, as long as the value that comes back lives.
    pub(super) fn running(&self) -> Running<'_> {
        self.clock.running.fetch_add(1, Ordering::SeqCst);
        if self.clock.asleep.load(Ordering::SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
        Running(&self.clock)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.clock.stopped.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
