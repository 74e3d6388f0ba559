-- name: claim
update delivery d set attempts = d.attempts + 1, next_attempt_at = now() + interval '60 seconds'
from (
    select id from delivery
    where delivered_at is null and failed_at is null and next_attempt_at <= now()
    order by next_attempt_at limit $1 for update skip locked
) due
join delivery x on x.id = due.id
join organization o on o.id = x.recipient
where d.id = due.id
returning d.id, d.recipient, d.kind, d.stream_id, d.version, d.type, d.status, d.at, d.attempts, o.webhook_url,
    o.webhook_secret

-- name: delivered
update delivery set delivered_at = now(), last_error = null where id = $1

-- name: retry
update delivery
set next_attempt_at = now() + make_interval(secs => $3), last_error = $2,
    failed_at = case when attempts >= $4 then now() end
where id = $1
