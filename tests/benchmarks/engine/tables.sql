-- The output every contestant writes, beside the product's own table `progress`; checked by verify.py after every run.

-- name: create
create table event_log (
    event_id uuid primary key,
    referral_id uuid not null,
    seq int not null,
    type text not null,
    at timestamptz not null,
    payload bytea not null
);
create table referral_now (
    id uuid primary key,
    seq int not null,
    status text not null,
    organization text not null,
    contract text not null,
    at timestamptz not null
) with (fillfactor = 80);
create table contract_total (contract text primary key, events bigint not null);
create table dead (
    topic text not null,
    partition int not null,
    "offset" bigint not null,
    value bytea,
    primary key (topic, partition, "offset")
);
grant select, insert, update on event_log, referral_now, contract_total, dead to refex_writer;

-- name: clear
truncate event_log, referral_now, contract_total, dead, progress

-- name: progress
select coalesce(sum(next_offset), 0)::bigint as done, count(*) filter (where next_offset > 0) as moved
from progress where topic = $1

-- name: found
select (select count(*) from event_log) as events, (select count(*) from dead) as dead,
    (select jsonb_object_agg(contract, events)::text from contract_total) as totals,
    (select md5(string_agg(id || ':' || seq || ':' || status, ',' order by id)) from referral_now) as states
