use super::*;

const QUICKLY: Duration = Duration::from_millis(4);

fn law() -> (Law, Instant) {
    (Law::default(), Instant::now())
}

#[test]
fn a_limit_that_is_used_grows_and_one_that_is_not_stays() {
    let (mut law, now) = law();
    for _ in 0..1000 {
        law.answered(Outcome::Answered, QUICKLY, (1, now));
    }
    assert_eq!(law.limit, START);
    for _ in 0..1000 {
        law.answered(Outcome::Answered, QUICKLY, (100, now));
    }
    assert!(law.limit > START * 2.0 && law.limit <= HIGHEST, "{}", law.limit);
}

#[tokio::test]
async fn pushback_cuts_once_for_all_that_were_on_their_way() {
    let (mut law, now) = law();
    law.answered(Outcome::Answered, QUICKLY, (1, now));
    for _ in 0..20 {
        law.answered(Outcome::Overloaded(None), QUICKLY, (20, now));
    }
    assert_eq!(law.limit, START * CUT);
    law.answered(Outcome::Lost, QUICKLY, (20, now + Duration::from_secs(2)));
    assert_eq!(law.limit, START * CUT * CUT);
    for second in 0..200 {
        law.answered(
            Outcome::Lost,
            QUICKLY,
            (20, now + Duration::from_secs(4 + 2 * second)),
        );
    }
    assert_eq!(law.limit, LOWEST);
}

#[tokio::test]
async fn a_host_that_names_a_time_is_left_alone_until_then() {
    let (mut law, now) = law();
    law.answered(
        Outcome::Overloaded(Some(Duration::from_secs(3))),
        QUICKLY,
        (1, now),
    );
    assert_eq!(law.pause(now), Some(now + Duration::from_secs(3)));
    assert_eq!(law.pause(now + Duration::from_secs(3)), None);
    law.answered(
        Outcome::Overloaded(Some(Duration::from_secs(86_400))),
        QUICKLY,
        (1, now),
    );
    assert_eq!(law.pause(now), Some(now + LONGEST_PAUSE));
}

#[test]
fn a_host_that_gets_slow_gets_less_but_not_less_than_at_the_start() {
    let (mut law, now) = law();
    for _ in 0..1000 {
        law.answered(Outcome::Answered, QUICKLY, (100, now));
    }
    let before = law.limit;
    for _ in 0..20 {
        law.answered(Outcome::Answered, Duration::from_millis(400), (100, now));
    }
    assert!(law.limit < before, "{} after {before}", law.limit);
    for _ in 0..1000 {
        law.answered(Outcome::Answered, Duration::from_millis(400), (100, now));
    }
    assert_eq!(law.limit, START);
}

#[tokio::test]
async fn writers_wait_for_room_and_what_is_urgent_goes_first() {
    let limiter = Arc::new(Limiter::default());
    let mut held = Vec::new();
    for _ in 0..16 {
        held.push(limiter.acquire(Priority::Normal).await);
    }
    let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
    let mut writers = Vec::new();
    for (name, priority) in [
        ("first", Priority::Normal),
        ("second", Priority::Normal),
        ("urgent", Priority::Urgent),
    ] {
        let (limiter, told) = (Arc::clone(&limiter), told.clone());
        let mut acquiring = Box::pin(async move {
            let permit = limiter.acquire(priority).await;
            told.send(name).unwrap();
            permit.end(Outcome::Answered);
        });
        // Each is in its queue before the next one comes.
        assert!(futures_util::poll!(&mut acquiring).is_pending());
        writers.push(tokio::spawn(acquiring));
    }
    held.pop().unwrap().end(Outcome::Answered);
    for writer in writers {
        writer.await.unwrap();
    }
    let mut came = Vec::new();
    while let Ok(name) = order.try_recv() {
        came.push(name);
    }
    assert_eq!(came, ["urgent", "first", "second"]);
}

#[tokio::test]
async fn a_writer_that_gives_up_takes_no_place() {
    let limiter = Arc::new(Limiter::default());
    let mut held = Vec::new();
    for _ in 0..16 {
        held.push(limiter.acquire(Priority::Normal).await);
    }
    let mut waiting = Box::pin(limiter.acquire(Priority::Normal));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    drop(waiting);
    held.clear();
    assert_eq!(limiter.depth().0, 0);
    limiter.acquire(Priority::Normal).await.end(Outcome::Answered);
}
