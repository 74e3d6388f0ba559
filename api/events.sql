-- name: claim_key
insert into idempotency (tenant, event_id, body_sha256) values ($1, $2, $3)
on conflict (tenant, event_id) do nothing

-- name: key
select k.body_sha256, k.created_at, i.outcome, i.reason, i.detail, i.version, i.stream_id
from idempotency k
left join inbox i using (tenant, event_id)
where k.tenant = $1 -- seen by: owner
    and k.event_id = $2
