-- name: open
insert into break_glass (id, tenant, operator, user_id, referral_id, reason, ends_at)
values ($1, $2, $3, $4, $5, $6, now() + make_interval(mins => $7))

-- The notice to the organization's webhook: ids alone.
-- name: tell
insert into delivery (id, tenant, recipient, kind, stream_id, version, type, status, at, next_attempt_at)
select $1, $2, o.id, 'break-glass', $3, 1, 'break-glass-opened', 'open', now(), now()
from organization o where o.id = $4 and o.webhook_url is not null

-- name: end
update break_glass set ended_at = now()
where id = $1 and user_id = $3 and ended_at is null and ends_at > now()
    and operator = $2 -- seen by: owner

-- One's own; whether it is open says the database's clock at this moment.
-- name: one
select id, tenant, operator, user_id, referral_id, reason, opened_at, ends_at, ended_at,
    ended_at is null and ends_at > clock_timestamp() as open
from break_glass
where id = $1 and user_id = $3
    and operator = $2 -- seen by: owner

-- The newest first; of one user where that is said.
-- name: list
select id, tenant, operator, user_id, referral_id, reason, opened_at, ends_at, ended_at,
    ended_at is null and ends_at > clock_timestamp() as open
from break_glass
where (
        tenant = $1 -- seen by: owner
        or operator = $1 -- seen by: owner
    )
    and ($2::uuid is null or user_id = $2)
    and ($3::timestamptz is null or opened_at < $3 or (opened_at = $3 and id > $4::uuid))
order by opened_at desc, id
limit $5
