-- How Python contestants write a batch. `step`: all of it in one statement; the others: one table each.

-- name: lock_progress
select partition, next_offset from progress where topic = $1 and partition = any ($2::int[]) order by partition for update

-- name: insert_events
insert into event_log (event_id, referral_id, seq, type, at, payload)
select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::timestamptz[], $6::bytea[])
on conflict do nothing returning event_id::text

-- name: upsert_states
insert into referral_now (id, seq, status, organization, contract, at)
select * from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
on conflict (id) do update
set seq = excluded.seq, status = excluded.status, organization = excluded.organization, at = excluded.at
where excluded.seq > referral_now.seq

-- name: add_totals
insert into contract_total (contract, events) select * from unnest($1::text[], $2::bigint[])
on conflict (contract) do update set events = contract_total.events + excluded.events

-- name: insert_dead
insert into dead (topic, partition, "offset", value)
select * from unnest($1::text[], $2::int[], $3::bigint[], $4::bytea[]) on conflict do nothing

-- name: save_progress
update progress p set next_offset = new.next_offset from unnest($2::int[], $3::bigint[]) as new (partition, next_offset)
where p.topic = $1 and p.partition = new.partition

-- name: first_progress
insert into progress (topic, partition, next_offset, cluster_id, topic_id) values ($1, $2, 0, 'bench', 'bench')
on conflict do nothing

-- name: step
with said as (
    select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::timestamptz[], $9::bytea[])
        as new (event_id, referral_id, seq, type, status, organization, contract, at, payload)
), fresh as (
    insert into event_log (event_id, referral_id, seq, type, at, payload)
    select event_id, referral_id, seq, type, at, payload from said
    on conflict do nothing returning event_id
), counted as (
    insert into contract_total (contract, events)
    select contract, count(*) from said join fresh using (event_id) group by contract order by contract
    on conflict (contract) do update set events = contract_total.events + excluded.events
)
insert into referral_now (id, seq, status, organization, contract, at)
select distinct on (referral_id) referral_id, seq, status, organization, contract, at
from said order by referral_id, seq desc
on conflict (id) do update
set seq = excluded.seq, status = excluded.status, organization = excluded.organization, at = excluded.at
where excluded.seq > referral_now.seq

-- name: step_copied
with fresh as (
    insert into event_log (event_id, referral_id, seq, type, at, payload)
    select event_id, referral_id, seq, type, at, payload from pg_temp.said
    on conflict do nothing returning event_id
), counted as (
    insert into contract_total (contract, events)
    select contract, count(*) from pg_temp.said join fresh using (event_id) group by contract order by contract
    on conflict (contract) do update set events = contract_total.events + excluded.events
)
insert into referral_now (id, seq, status, organization, contract, at)
select distinct on (referral_id) referral_id, seq, status, organization, contract, at
from pg_temp.said order by referral_id, seq desc
on conflict (id) do update
set seq = excluded.seq, status = excluded.status, organization = excluded.organization, at = excluded.at
where excluded.seq > referral_now.seq
