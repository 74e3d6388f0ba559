-- Due deliveries, receiver by receiver; $1, $2: how many more each of these may get at once, others $3; all together $4.
-- name: claim
update delivery d set attempts = d.attempts + 1, next_attempt_at = now() + interval '60 seconds'
from (
    select due.id, o.webhook_url, s.kek, s.secret
    from organization o
    left join webhook_secret s on s.tenant = o.id
    left join unnest($1::text[], $2::int[]) as known (id, room) on known.id = o.id
    cross join lateral (
        select x.id from delivery x
        where x.recipient = o.id and x.delivered_at is null and x.failed_at is null and x.next_attempt_at <= now()
        order by x.next_attempt_at limit coalesce(known.room, $3::int) for update of x skip locked
    ) due
    where o.webhook_url is not null
    order by random() limit $4
) claimed
where d.id = claimed.id
returning d.id, d.recipient, d.kind, d.stream_id, d.version, d.type, d.status, d.at, d.attempts, claimed.webhook_url,
    claimed.kek, claimed.secret

-- name: about
select id, state, consents_of(person_key) as consents from referral where id = any ($1::uuid[])

-- name: withdrawn
update delivery set failed_at = now(), last_error = $2 where id = any ($1::uuid[])

-- name: unwanted
update delivery d set failed_at = now(), last_error = 'the receiver has no webhook any more'
from organization o
where o.id = d.recipient and o.webhook_url is null and d.delivered_at is null and d.failed_at is null

-- name: delivered
update delivery set delivered_at = now(), last_error = null where id = $1

-- name: retry
update delivery
set next_attempt_at = now() + make_interval(secs => $3), last_error = $2,
    failed_at = case when attempts >= $4 then now() end
where id = $1
