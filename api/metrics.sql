-- name: labelled
select 'referrals' as family, status as label, count(*) as n from referral group by status
union all
select 'hops', status, count(*) from hop group by status

-- name: plain
select
    (select count(*) from hop where status = 'requested' and due_at < now()) as overdue,
    (select coalesce(sum(seq), 0)::bigint from lane) as facts,
    (select coalesce(sum(next_offset), 0)::bigint from progress) as consumed,
    (select count(*) from rejected_command) as rejected,
    (select coalesce(sum(l.seq + 1 - r.next_seq), 0)::bigint from lane l join relay_position r using (lane)) as relay_lag,
    (select count(*) from dead_letter where replayed_at is null) as dead_letters,
    (select count(*) from parked) as parked,
    (select count(distinct (kind, stream_id)) from parked) as parked_streams,
    (select count(*) from deadline where sent_at is null) as deadlines,
    (select count(*) from delivery where delivered_at is null and failed_at is null) as deliveries,
    (select count(*) from delivery where delivered_at is null and due_at < now()) as late_notices
