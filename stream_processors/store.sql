-- The statements of one exchange batch, in the order exchange.py runs them.

-- name: lock_progress
select p.topic, p.partition, p.next_offset
from progress p
join unnest($1::text[], $2::int[]) as want (topic, partition) using (topic, partition)
order by p.topic, p.partition
for update of p

-- name: lock_lanes
select lane, seq, parked, exists (select from rebuilding) as rebuilding
from lane where lane = any ($1::int[]) order by lane for update

-- name: seen
select i.tenant, i.event_id, i.payload_sha256
from unnest($1::text[], $2::uuid[]) as want (tenant, event_id)
join inbox i using (tenant, event_id)

-- name: load_referrals
select id, state, sealed, outcome_sealed from referral where id = any ($1::uuid[])

-- name: load_streams
select s.kind, s.id, s.tenant, s.version, s.type, s.data::text as data, s.sealed
from unnest($1::text[], $2::uuid[]) as want (kind, id)
join stream s using (kind, id)

-- name: load_tombstones
select id, data ->> 'reason' as reason from stream where kind = 'tombstone' and id = any ($1::uuid[])

-- name: insert_referrals
insert into referral (id, tenant, sender, recipients, payer, hub, sender_referral_id, person_key, status, version,
    domain, priority, contract, reviewed, state, sealed, outcome_sealed, decision, requested_at, created_at,
    updated_at, accepted_at, closed_at)
select id, sender, sender, string_to_array(recipients, ','), payer, hub, sender_referral_id, person_key,
    status, version, domain, priority, contract, reviewed, state, sealed, outcome_sealed, decision, requested_at,
    created_at, updated_at, accepted_at, closed_at
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[],
    $9::int[], $10::text[], $11::text[], $12::text[], $13::boolean[], $14::jsonb[], $15::bytea[], $16::bytea[],
    $17::jsonb[], $18::timestamptz[], $19::timestamptz[], $20::timestamptz[], $21::timestamptz[],
    $22::timestamptz[])
    as new (id, sender, recipients, payer, hub, sender_referral_id, person_key, status, version, domain, priority,
    contract, reviewed, state, sealed, outcome_sealed, decision, requested_at, created_at, updated_at, accepted_at,
    closed_at)

-- name: update_referrals
update referral r
set recipients = string_to_array(new.recipients, ','), payer = new.payer, status = new.status,
    version = new.version, domain = new.domain, priority = new.priority, contract = new.contract,
    reviewed = r.reviewed or new.reviewed, state = new.state, sealed = coalesce(new.sealed, r.sealed),
    outcome_sealed = coalesce(new.outcome_sealed, r.outcome_sealed), decision = coalesce(new.decision, r.decision),
    updated_at = new.updated_at, accepted_at = new.accepted_at, closed_at = new.closed_at,
    person_key = new.person_key
from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[], $8::text[],
    $9::text[], $10::boolean[], $11::jsonb[], $12::bytea[], $13::bytea[], $14::jsonb[], $15::timestamptz[],
    $16::timestamptz[], $17::timestamptz[], $18::uuid[])
    as new (id, loaded, recipients, payer, status, version, domain, priority, contract, reviewed, state, sealed,
    outcome_sealed, decision, updated_at, accepted_at, closed_at, person_key)
where r.id = new.id and r.version = new.loaded

-- name: save_hops
insert into hop (referral_id, hop, number, tenant, sender, recipient, payer, service, status, reason, requested_at,
    due_at, answered_at, offer)
select referral_id, hop, number, sender, sender, recipient, payer, service, status, reason, requested_at, due_at,
    answered_at, offer
from unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[],
    $9::text[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::int[])
    as new (referral_id, hop, number, sender, recipient, payer, service, status, reason, requested_at, due_at,
    answered_at, offer)
on conflict (referral_id, number) do update
set status = excluded.status, reason = excluded.reason, answered_at = excluded.answered_at, payer = excluded.payer

-- name: save_match_keys
insert into person_match (key, person_key, tenant)
select * from unnest($1::uuid[], $2::uuid[], $3::text[])
on conflict do nothing
returning person_key, tenant

-- name: wait_for_linker
insert into person_unlinked (person_key, tenant) select * from unnest($1::uuid[], $2::text[])
on conflict (person_key) do update set since = clock_timestamp()

-- name: forget_matches
delete from person_match where person_key = any ($1::uuid[])

-- name: forget_unlinked
delete from person_unlinked where person_key = any ($1::uuid[])

-- name: load_deadlines
select referral_id, kind, generation from deadline where referral_id = any ($1::uuid[])

-- name: clear_deadlines
delete from deadline d using unnest($1::uuid[], $2::text[]) as gone (referral_id, kind)
where d.referral_id = gone.referral_id and d.kind = gone.kind

-- name: save_deadlines
insert into deadline (referral_id, kind, generation, due_at, lane)
select * from unnest($1::uuid[], $2::text[], $3::int[], $4::timestamptz[], $5::int[])
on conflict (referral_id, kind) do nothing

-- name: save_streams
insert into stream (kind, id, tenant, version, type, data, sealed, at)
select * from unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $5::text[], $6::jsonb[], $7::bytea[],
    $8::timestamptz[])
on conflict (kind, id) do update
set version = excluded.version, type = excluded.type, data = excluded.data, sealed = excluded.sealed,
    at = excluded.at

-- name: save_consents
insert into person_consent (consent, person_key, tenant, record)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::jsonb[])
on conflict (consent) do update set record = excluded.record

-- name: wait_for_coverage
insert into coverage_due (member, due_at) select new.member, now() from unnest($1::uuid[]) as new (member)
on conflict (member) do update set due_at = now(), generation = coverage_due.generation + 1

-- name: save_services
insert into service (id, tenant, version, routing, body, updated_at)
select * from unnest($1::uuid[], $2::text[], $3::int[], $4::jsonb[], $5::jsonb[], $6::timestamptz[])
on conflict (id) do update
set tenant = excluded.tenant, version = excluded.version, routing = excluded.routing, body = excluded.body,
    updated_at = excluded.updated_at

-- name: bump_directory
insert into directory_version (version) select sum(facts) from unnest($1::bigint[]) as new (facts)
on conflict (one) do update set version = directory_version.version + excluded.version

-- The version's row is locked until the commit, so versions become visible in their order and none is skipped.
-- name: note_changed
insert into directory_change (id, version)
select changed.id, v.version from unnest($1::uuid[]) as changed (id), directory_version v
on conflict (id) do update set version = excluded.version

-- name: insert_history
insert into history (lane, lane_seq, kind, stream_id, version, type, event_id, occurred_at, at, actor_organization,
    actor_user, on_behalf_of, channel, tenant, sender, recipients, payer, status, data, sealed)
select lane, lane_seq, kind, stream_id, version, type, event_id, occurred_at, at, actor_organization, actor_user,
    on_behalf_of, channel, tenant, sender, coalesce(string_to_array(recipients, ','), '{}'), payer,
    status, data, sealed
from unnest($1::int[], $2::bigint[], $3::text[], $4::uuid[], $5::int[], $6::text[], $7::uuid[], $8::timestamptz[],
    $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
    $17::text[], $18::text[], $19::bytea[], $20::bytea[])
    as new (lane, lane_seq, kind, stream_id, version, type, event_id, occurred_at, at, actor_organization,
    actor_user, on_behalf_of, channel, tenant, sender, recipients, payer, status, data, sealed)

-- name: insert_inbox
insert into inbox (tenant, event_id, payload_sha256, topic, partition, "offset", kind, stream_id, outcome, reason,
    detail, version, at)
select * from unnest($1::text[], $2::uuid[], $3::bytea[], $4::text[], $5::int[], $6::bigint[], $7::text[],
    $8::uuid[], $9::text[], $10::text[], $11::text[], $12::int[], $13::timestamptz[])

-- name: insert_rejections
insert into rejected_command (tenant, event_id, kind, stream_id, command, reason, detail, at)
select * from unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[],
    $8::timestamptz[])

-- name: insert_dead_letters
insert into dead_letter (id, tenant, topic, partition, "offset", reason, detail, key, value, at)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::text[], $7::text[],
    $8::bytea[], $9::bytea[], $10::timestamptz[])
on conflict do nothing

-- name: insert_deliveries
insert into delivery (id, tenant, recipient, kind, stream_id, version, type, status, at, next_attempt_at, due_at)
select id, tenant, recipient, 'referral', stream_id, version, type, status, at, at, due_at
from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::int[], $6::text[], $7::text[], $8::timestamptz[],
    $9::timestamptz[])
    as new (id, tenant, recipient, stream_id, version, type, status, at, due_at)
on conflict do nothing

-- name: save_lanes
update lane l set seq = new.seq from unnest($1::int[], $2::bigint[]) as new (lane, seq) where l.lane = new.lane

-- name: save_progress
update progress p set next_offset = new.next_offset, updated_at = now()
from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) as new (topic, partition, loaded, next_offset)
where p.topic = new.topic and p.partition = new.partition and p.next_offset = new.loaded
