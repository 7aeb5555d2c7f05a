//! What is asked of the incoming mail log.

use super::*;

/// Sessions go, with the reports of their messages; the receipts stay, so that nothing is handled twice.
pub(super) async fn old_sessions_are_forgotten(store: &Store) {
    let begin = async |job: &str| store.begin_session(job).await.unwrap();
    let (first, second, running) = (begin("old").await, begin("old").await, begin("old").await);
    let other = begin("other").await;
    let tally = SessionTally { received: 3, ..SessionTally::default() };
    let failed = SessionTally { errors: 1, quarantined: 1, ..SessionTally::default() };
    store.finish_session(first, &tally, None).await.unwrap();
    store.finish_session(second, &failed, Some("no connection")).await.unwrap();
    // One that only warns has not failed.
    store
        .finish_session(other, &SessionTally::default(), Some("warning: the certificate is not checked"))
        .await
        .unwrap();
    let quarantine = Verdict::Quarantine { cause: "why".to_owned(), class: Class::Bug };
    let verdicts = [accepted(vec![create("kept")]), accepted(vec![create("kept too")]), quarantine];
    let mail = |(place, verdict): (usize, Verdict)| Entry {
        job: "old".to_owned(),
        session: Some(first),
        ..entry(&format!("o{place}"), verdict)
    };
    let batch: Vec<Entry> = verdicts.into_iter().enumerate().map(mail).collect();
    let receipts = store.commit(&batch).await.unwrap();

    let with = async |outcome| {
        let filter =
            SessionFilter { outcome: Some(outcome), after: Some(SessionId(first.0 - 1)), ..SessionFilter::default() };
        store.sessions(&filter).await.unwrap().into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(with(SessionOutcome::Failed).await, [second]);
    assert_eq!(with(SessionOutcome::Quarantined).await, [second]);
    assert_eq!(with(SessionOutcome::Accepted).await, []);

    let early = OldSessions { before: Some(jiff::Timestamp::UNIX_EPOCH), ..OldSessions::default() };
    assert_eq!(store.forget_sessions(&early, 10).await.unwrap(), Forgotten::default());
    let old = OldSessions { job: Some("old".to_owned()), ..OldSessions::default() };
    assert_eq!(store.old_sessions(&old).await.unwrap(), 2);
    // In pieces: two rows of each at a time.
    let pieces = [store.forget_sessions(&old, 2).await.unwrap(), store.forget_sessions(&old, 2).await.unwrap()];
    let piece = |sessions, reports, is_partial| Forgotten { sessions, reports, is_partial };
    assert_eq!(pieces, [piece(1, 2, true), piece(1, 1, false)]);
    assert_eq!(store.forget_sessions(&old, 2).await.unwrap(), Forgotten::default());

    let all = SessionFilter { after: Some(SessionId(first.0 - 1)), ..SessionFilter::default() };
    let left: Vec<SessionId> = store.sessions(&all).await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(left, [other, running]);
    // One alone; one that runs is not forgotten.
    let only = |session| OldSessions { session: Some(session), ..OldSessions::default() };
    assert_eq!(store.forget_sessions(&only(running), 10).await.unwrap(), Forgotten::default());
    assert_eq!(store.forget_sessions(&only(other), 10).await.unwrap(), piece(1, 0, false));
    assert_eq!(store.sessions(&all).await.unwrap().len(), 1);
    assert_eq!(store.unknown("old", batch.iter().map(|entry| entry.key.clone()).collect()).await.unwrap(), []);
    let row = store.receipt(receipts[0].id).await.unwrap().unwrap();
    assert_eq!((row.session, &row.receipt.created), (None, &receipts[0].created));
    assert!(store.report(row.receipt.id).await.unwrap().is_null());
    assert_eq!(bytes_of(&store.raw(&row.sha256).await.unwrap()), bytes_of(&batch[0].raw));
    let waiting = store.quarantine_list().await.unwrap();
    let waiting = waiting.iter().find(|row| row.job == "old").unwrap();
    assert_eq!(store.quarantine(waiting.id).await.unwrap().unwrap().report, serde_json::json!({ "uid": "o2" }));
    store.finish_session(running, &tally, None).await.unwrap();

    // A job that was restarted with messages in hand, after which the log was cleared: they are recorded all the same.
    let restarted = begin("old").await;
    store.end_interrupted(Some("old")).await.unwrap();
    store.forget_sessions(&old, 10).await.unwrap();
    let mail =
        Entry { job: "old".to_owned(), session: Some(restarted), ..entry("o9", accepted(vec![create("in hand")])) };
    let receipt = store.commit(&[mail]).await.unwrap().remove(0);
    assert_eq!(store.receipt(receipt.id).await.unwrap().unwrap().session, None);
}
