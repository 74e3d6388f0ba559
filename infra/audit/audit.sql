-- name: begin
insert into audit_chain (chain, started_at, length, head) values ($1, $2, 0, $3) on conflict do nothing

-- name: head
select length, head from audit_chain where chain = $1

-- name: grow
with grown as (
    update audit_chain set length = $2, head = $3 where chain = $1 and length = $4 returning chain)
insert into audit_record (chain, number, kind, at, tenant, body, hash)
select g.chain, r.number, r.kind, r.at, r.tenant, r.body, r.hash
from grown g, unnest($5::bigint[], $6::text[], $7::timestamptz[], $8::text[], $9::bytea[], $10::bytea[])
    as r (number, kind, at, tenant, body, hash)

-- name: disclose
insert into audit_disclosure (chain, number, referral_id, person_key, tenant, recipient, at, shown, basis, rule, action,
    purpose)
select * from unnest($1::text[], $2::bigint[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::timestamptz[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
on conflict do nothing

-- name: heads
select chain, length, head as hash from audit_chain order by chain

-- name: records
select number, kind, at, tenant, body, hash from audit_record where chain = $1 order by number

-- name: facts
select lane, lane_seq, kind, stream_id, version, type, event_id, occurred_at, at, actor_organization, actor_user,
    on_behalf_of, channel, tenant, sender, recipients, payer, status, data, sealed
from history where lane = $1 and lane_seq > $2 order by lane_seq

-- name: lanes
select lane, seq, audited_from from lane order by lane

-- name: try_lock
select pg_try_advisory_lock(hashtext('refex-checkpoints'))
