//! The daemon: puts the parts together, keeps them going, and takes changes of files into force.

mod desk;
mod history;
mod service;
mod settings;
mod setup;
mod signals;

pub use setup::{attachment_limits, engine, start_log, tags};

use crate::config::{Config, Job, job_files};
use crate::diagnostic::Diagnostics;
use crate::fault::{self, Point};
use crate::job::{self, Board, Context, Progress};
use crate::outbox::{self, Outbox};
use crate::replay::Shadow;
use crate::rules::watch::{Changed, Places, Watch};
use crate::rules::{Reloader, RuleSet};
use crate::store::{Lease, Store};
use crate::web::{self, observe::Server};
use crate::{plugin, store};
use desk::Desk;
use settings::Settings;
use signals::{Signals, Wish};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

/// How long messages in hand may take to finish once the daemon is told to stop.
const DRAIN_MAX: Duration = Duration::from_secs(30);

/// Why the daemon does not run, or has ended with something undone.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Settings, jobs, rules or plugins have errors.
    #[error(transparent)]
    Diagnostics(#[from] Diagnostics),
    /// A job is named that is not there.
    #[error(transparent)]
    UnknownJob(#[from] job::Unknown),
    /// There is nothing to do.
    #[error("no job: the folder {} holds no .toml file, so there is no mailbox to watch", .0.display())]
    NoJob(PathBuf),
    /// The plugin engine does not start.
    #[error(transparent)]
    Engine(#[from] plugin::Error),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The ticket tag cannot be used.
    #[error("[thread] in the settings")]
    Tag(#[from] crate::thread::TagError),
    /// The system refuses something.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        error: std::io::Error,
    },
    /// Nobody can be answered where the settings say.
    #[error(transparent)]
    Observe(#[from] web::observe::Error),
    /// Files cannot be watched.
    #[error("the folders of rules, plugins and jobs cannot be watched")]
    Watch(#[from] notify::Error),
    /// There is no web admin.
    #[error(transparent)]
    Web(#[from] web::Error),
    /// A second signal came while messages in hand were being finished.
    #[error("stopped at once; nothing is lost")]
    Impatient,
    /// With `once`: some jobs failed.
    #[error("{failed} of {jobs} jobs failed: see above, or mailmill log; nothing is lost")]
    Sessions {
        /// How many.
        failed: usize,
        /// Of how many.
        jobs: usize,
    },
}

/// How long the daemon runs.
#[derive(Debug)]
pub enum Mode {
    /// Until a signal says to stop.
    UntilStopped,
    /// One session of each job.
    Once(Once),
}

/// What is run once.
#[derive(Debug, Default)]
pub struct Once {
    /// The names of the jobs, also of those that are paused; if there are none, all jobs that are not.
    pub jobs: Vec<String>,
    /// Who watches how far they are.
    pub progress: Option<mpsc::UnboundedSender<Progress>>,
}

/// Runs for as long as `mode` says. `file` is the settings file.
///
/// # Errors
/// If it cannot start; with [`Mode::Once`], also if a job failed.
pub async fn run(file: &Path, config: Config, mode: Mode) -> Result<(), Error> {
    // Watching begins before anything is read: what changes from here on is noticed. What runs once does not change.
    let debounce = Duration::from_millis(config.reload.debounce_ms);
    let watched = match &mode {
        Mode::Once(_) => None,
        Mode::UntilStopped => Some(Watch::start(Places::new(Some(file.to_owned()), &config), debounce)?),
    };
    let (_watch, changes) = watched.unzip();
    // So does listening: a wish to stop while it starts is heard once it has.
    let signals = if matches!(mode, Mode::UntilStopped) { Some(Signals::new()?) } else { None };
    // The first random number takes a while: the first connection need not wait for it.
    drop(tokio::task::spawn_blocking(|| aws_lc_rs::rand::fill(&mut [0])));
    let engine = engine(&config)?;
    if let Some(fault) = engine.cache_fault() {
        tracing::warn!("{fault}");
    }
    let mut tags = tags(&config)?;
    if let Mode::Once(once) = &mode {
        once.jobs.iter().try_for_each(|name| job::find(&config.jobs, name).map(drop))?;
    }
    let jobs = Job::load_all(&config.jobs)?;
    // The first job may be made in the browser.
    let can_wait = config.web.listen.is_some() && matches!(mode, Mode::UntilStopped);
    if jobs.is_empty() && !can_wait {
        return Err(Error::NoJob(config.jobs));
    }
    outbox::check_maildirs(&config, &jobs)?;
    // Held to the end: whatever sessions and attempts the database has as begun, nobody is at them any more.
    let _lease = Lease::take(&config.store.path)?;
    let reloader = Arc::new(Reloader::start(config.rules.clone(), config.plugins.clone(), engine)?);
    job::check_steps(&jobs, &config.jobs, &reloader.current())?;
    let store = Store::open(&config.store.path).await?;
    fault::pass(Point::StartOpened);
    store.end_interrupted(None).await?;
    let (stop, stopped) = watch::channel(false);
    let sender = outbox::sender(&config, &jobs, &tags, &store).await?;
    tags.own_ids = sender.as_ref().map(|sender| sender.ids.clone());
    let desk = Desk::new(&config, &jobs, sender.clone());
    let store = store.sending_as(sender);
    let sending = Arc::new(Outbox::new(store.clone(), &config));
    sending.take_up().await?;
    let shared = (reloader.subscribe(), desk.outlets());
    let ctx = setup::context(&config, tags, store.clone(), shared, stopped);
    history::note(&store, &reloader, &config.rules).await;
    tracing::info!(jobs = jobs.len(), revision = %reloader.current().revision(), "mailmill is running");
    let outcome = match mode {
        Mode::Once(once) => {
            let outcome = run_once(ctx, jobs, once, sending).await;
            job::sweep_log(&store, config.incoming_log.retention_days).await;
            outcome
        }
        Mode::UntilStopped => {
            let ctx = Arc::new(ctx);
            let admin = settings::admin(file, &config, &ctx, &reloader).await?;
            service::warn_of_root();
            let server = match config.observe.listen {
                Some(address) => Some(Server::bind(address).await?),
                None => None,
            };
            let settings = Settings { file: file.to_owned(), config };
            let (board, refused) = (Arc::new(Board::default()), BTreeMap::new());
            let running = Running { ctx, jobs: BTreeMap::new(), board, desk, reloader, refused, settings, admin };
            let changes = changes.unwrap_or_else(|| mpsc::channel(1).1);
            let signals = signals.map_or_else(Signals::new, Ok)?;
            running.until_stopped(jobs, (changes, signals), (stop, server), sending).await
        }
    };
    // Who is impatient does not want to wait for the store either.
    if !matches!(outcome, Err(Error::Impatient)) {
        store.close().await;
    }
    outcome
}

/// Runs the jobs at the same time, so that none waits for a server that does not answer another one.
async fn run_once(ctx: Context, mut list: Vec<Job>, once: Once, sending: Arc<Outbox>) -> Result<(), Error> {
    let orders = ctx.store.job_orders().await?;
    list.retain(|job| {
        let is_paused = orders.get(&job.name).is_some_and(|orders| orders.paused);
        if once.jobs.is_empty() && is_paused {
            tracing::info!(job = job.name, "the job is paused, so it does not run; name it to run it all the same");
        }
        if once.jobs.is_empty() { !is_paused } else { once.jobs.contains(&job.name) }
    });
    let ctx = Arc::new(Context { progress: once.progress, ..ctx });
    let jobs = list.len();
    let mut sessions = JoinSet::new();
    for job in list {
        let (ctx, job) = (ctx.clone(), Arc::new(job));
        sessions.spawn(async move {
            let outcome = job::run_once(&ctx, &job).await;
            (job, outcome)
        });
    }
    let mut failed = 0;
    while let Some(ended) = sessions.join_next().await {
        match ended {
            Ok((job, Ok(tally))) => job::log_tally(&job, &tally),
            Ok((job, Err(error))) => {
                failed += 1;
                tracing::error!(job = job.name, "the session failed; nothing is lost: {error}");
            }
            Err(error) => {
                failed += 1;
                tracing::error!(%error, "a session ended early; nothing is lost");
            }
        }
    }
    sending.drain().await?;
    if failed == 0 { Ok(()) } else { Err(Error::Sessions { failed, jobs }) }
}

/// The jobs that run.
struct Running {
    ctx: Arc<Context>,
    jobs: BTreeMap<String, (Job, JoinHandle<()>)>,
    board: Arc<Board>,
    desk: Desk,
    reloader: Arc<Reloader>,
    /// Job files that were not taken: another set of rules may suit them.
    refused: BTreeMap<String, PathBuf>,
    settings: Settings,
    /// The web admin, for as long as the jobs run.
    admin: Option<web::Serving>,
}

impl Running {
    /// Starts the jobs, and runs until a signal says to stop.
    async fn until_stopped(
        mut self,
        jobs: Vec<Job>,
        (changes, mut signals): (mpsc::Receiver<Changed>, Signals),
        (stop, server): (watch::Sender<bool>, Option<Server>),
        sending: Arc<Outbox>,
    ) -> Result<(), Error> {
        // Before any job starts: a job that is paused must not call its server.
        self.board.look(&self.ctx.store).await?;
        self.recall_successes().await?;
        jobs.into_iter().for_each(|job| self.start(job));
        // Both go on while the daemon stops: systemd and whoever asks see how far it is.
        let seen = web::observe::Seen { ctx: self.ctx.clone(), reloader: self.reloader.clone() };
        let mut beside = JoinSet::new();
        server.map(|server| beside.spawn(server.serve(seen)));
        let vitals = self.ctx.vitals.clone();
        beside.spawn(async move { service::keep_alive(&vitals).await });
        service::ready();
        let sending = tokio::spawn(sending.run(self.ctx.stop.clone()));
        let (board, store, rules) = (self.board.clone(), self.ctx.store.clone(), self.ctx.rules.clone());
        let retention_days = self.ctx.retention_days.subscribe();
        let shadow = self.shadow(&store);
        let outcome = tokio::select! {
            () = shadow => Ok(()),
            outcome = self.watch(changes, &mut signals) => outcome,
            () = board.keep(&store) => Ok(()),
            () = job::keep_suspensions(&store, &rules) => Ok(()),
            () = job::keep_log(&store, retention_days) => Ok(()),
        };
        service::stopping();
        tracing::info!("stopping: messages in hand are finished first; a second signal stops at once");
        let _ = stop.send(true);
        tokio::select! {
            () = self.finish(sending) => outcome,
            () = signals.stop() => Err(Error::Impatient),
        }
    }

    /// The candidate beside live mail; waits for ever if there is none.
    fn shadow(&self, store: &Store) -> impl Future<Output = ()> + use<> {
        let (config, ctx) = (&self.settings.config, &self.ctx);
        let shadow = config.shadow.clone().map(|rules| Shadow {
            rules,
            plugins: config.plugins.clone(),
            jobs: config.jobs.clone(),
            engine: self.reloader.engine().clone(),
            tags: (*ctx.tags).clone(),
            limits: (*ctx.attachments).clone(),
            outlets: (**ctx.outlets.borrow()).clone(),
        });
        let (store, in_force) = (store.clone(), ctx.rules.clone());
        async move {
            match shadow {
                Some(shadow) => shadow.run(store, in_force).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Starts a job, or starts it again; then what it was doing has ended first.
    fn start(&mut self, job: Job) {
        let place = self.board.place(&job.name);
        let before = self.jobs.remove(&job.name).map(|(_, handle)| handle);
        let (ctx, started) = (self.ctx.clone(), Arc::new(job.clone()));
        let handle = tokio::spawn(async move {
            if let Some(before) = before {
                before.abort();
                // That it was stopped is no news.
                let _ = before.await;
            }
            job::run(ctx, started, place).await;
        });
        self.jobs.insert(job.name.clone(), (job, handle));
    }

    /// Takes changed files into force, until a signal to stop.
    async fn watch(&mut self, mut changes: mpsc::Receiver<Changed>, signals: &mut Signals) -> Result<(), Error> {
        loop {
            tokio::select! {
                wish = signals.next() => match wish {
                    Wish::Stop => return Ok(()),
                    Wish::Reload => self.reload_all().await,
                },
                changed = changes.recv() => match changed {
                    Some(Changed::Rules) => self.reload_rules().await,
                    Some(Changed::Job { name, file: Some(file) }) => {
                        if !self.reload_job(&name, &file) {
                            // Rules that were not taken before may be what this file waits for.
                            self.reload_rules().await;
                        }
                    }
                    Some(Changed::Job { name, file: None }) => self.end_job(&name).await,
                    Some(Changed::Config) => self.settings.changed(&self.ctx.retention_days),
                    None => return Err(Error::Watch(notify::Error::generic("the watcher has stopped"))),
                },
            }
        }
    }

    /// Takes everything into force that has changed, as somebody asks for: whether or not the change was noticed before.
    async fn reload_all(&mut self) {
        tracing::info!("somebody asks for all files to be read again");
        self.settings.changed(&self.ctx.retention_days);
        if let Some(admin) = &self.admin {
            admin.read_again();
        }
        self.reload_rules().await;
        let files = match job_files(&self.settings.config.jobs) {
            Ok(files) => files,
            Err(error) => return tracing::error!(%error, "the folder of the jobs cannot be read"),
        };
        let named = |file: &PathBuf| Some((Job::name_of(file)?, file.clone()));
        let files: BTreeMap<String, PathBuf> = files.iter().filter_map(named).collect();
        let gone: Vec<String> = self.jobs.keys().filter(|name| !files.contains_key(*name)).cloned().collect();
        for name in gone {
            self.end_job(&name).await;
        }
        for (name, file) in files {
            self.reload_job(&name, &file);
        }
    }

    /// When the jobs last ended well, as far as an earlier daemon has written it down.
    async fn recall_successes(&self) -> Result<(), Error> {
        for job in self.ctx.store.jobs().await? {
            if let Some(last) = job.last.filter(|last| last.error.is_none()) {
                self.ctx.metrics.succeeded(&job.name, last.ended_at);
            }
        }
        Ok(())
    }

    /// The reloader logs what it does. Compiling and testing would hold up the jobs, so they get a thread.
    /// Rules without a step that a job names are not taken: its messages would silently be handled otherwise.
    async fn reload_rules(&mut self) {
        let (reloader, folder) = (self.reloader.clone(), self.settings.config.jobs.clone());
        let running: Vec<Job> = self.jobs.values().map(|(job, _)| job.clone()).collect();
        let wanted = self.with_refused(&running);
        let accept = move |set: &RuleSet| {
            let suits_running = |faults| job::check_steps(&running, &folder, set).map_err(|_| faults);
            job::check_steps(&wanted, &folder, set).or_else(suits_running)
        };
        let reloaded = tokio::task::spawn_blocking(move || reloader.reload(accept)).await;
        if let Err(error) = reloaded {
            tracing::error!(%error, "the rules could not be loaded: those before stay in force");
        }
        history::note(&self.ctx.store, &self.reloader, &self.settings.config.rules).await;
        for (name, file) in std::mem::take(&mut self.refused) {
            self.reload_job(&name, &file);
        }
    }

    /// The jobs as their files say now, where a file was refused but can be read.
    fn with_refused(&self, running: &[Job]) -> Vec<Job> {
        let mut wanted: Vec<Job> = self.refused.values().filter_map(|file| Job::load(file).ok()).collect();
        wanted.extend(running.iter().filter(|job| !self.refused.contains_key(&job.name)).cloned());
        wanted
    }

    /// A changed job restarts alone; if its file is wrong, it goes on as it was. Answers whether the file was taken.
    fn reload_job(&mut self, name: &str, file: &Path) -> bool {
        let was_refused = self.refused.remove(name).is_some();
        let loaded = Job::load(file).and_then(|job| {
            let folder = &self.settings.config.jobs;
            let one = std::slice::from_ref(&job);
            outbox::check_maildirs(&self.settings.config, one)?;
            job::check_steps(one, folder, &self.reloader.current()).map(|()| job)
        });
        match (loaded, self.jobs.get(name)) {
            (Err(diagnostics), _) => {
                tracing::error!(job = name, "the job's file is not taken:\n{diagnostics}");
                self.refused.insert(name.to_owned(), file.to_owned());
                return false;
            }
            (Ok(job), Some((running, _))) if *running == job => {
                if was_refused {
                    tracing::info!(job = name, "the job's file is again what is in force");
                }
            }
            (Ok(job), _) => {
                tracing::info!(job = name, "the job starts with new settings");
                self.start(job);
                self.renew_desk();
            }
        }
        true
    }

    /// The addresses of the desk are those of its jobs, among others.
    fn renew_desk(&self) {
        let jobs: Vec<Job> = self.jobs.values().map(|(job, _)| job.clone()).collect();
        self.desk.has_jobs(&self.settings.config, &jobs);
    }

    async fn end_job(&mut self, name: &str) {
        self.refused.remove(name);
        if let Some((_, handle)) = self.jobs.remove(name) {
            handle.abort();
            self.board.remove(name);
            self.ctx.vitals.forget(name);
            self.ctx.metrics.forget(name);
            self.renew_desk();
            self.say_stopped(Some(name)).await;
            tracing::info!(job = name, "the job's file is gone: the job has stopped");
        }
    }

    /// Says that nobody runs the job, or any job, any more.
    async fn say_stopped(&self, job: Option<&str>) {
        if let Err(error) = self.ctx.store.jobs_stopped(job).await {
            tracing::warn!(%error, "that the jobs have stopped could not be recorded");
        }
    }

    async fn finish(mut self, sending: JoinHandle<()>) {
        let jobs = std::mem::take(&mut self.jobs);
        let wait = async {
            for (name, (_, handle)) in jobs {
                if let Err(error) = handle.await {
                    tracing::error!(job = name, %error, "the job ended early");
                }
            }
        };
        let (drained, sent) =
            tokio::join!(tokio::time::timeout(DRAIN_MAX, wait), tokio::time::timeout(DRAIN_MAX, sending));
        if sent.is_err() {
            tracing::warn!("something was still being sent: it is tried again after the next start");
        }
        if drained.is_err() {
            tracing::warn!("some messages were still in hand: they are handled at the next start");
        }
        if let Err(error) = self.board.publish(&self.ctx.store, true).await {
            tracing::warn!(%error, "the state of the jobs could not be recorded");
        }
        self.say_stopped(None).await;
    }
}
