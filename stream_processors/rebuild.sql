-- The rebuild: everything in the caller's transaction and snapshot. {live} and {into} are quoted schema names.

-- name: schema_state
select n.oid is not null as there, coalesce(obj_description(n.oid, 'pg_namespace'), '') as comment,
    exists (select from pg_class c where c.relnamespace = n.oid) as filled
from (select to_regnamespace($1)::oid as oid) n

-- name: lane_ends
select lane, seq from {live}.lane order by lane

-- name: relayed
select lane, next_seq from relay_position

-- name: archive
select kind, stream_id, version, type, event_id, at, tenant, data, sealed
from {live}.history where lane = $1 and lane_seq <= $2
order by kind, stream_id, version

-- name: erased_archive
select convert_from(data, 'UTF8')::jsonb ->> 'keys' as keys
from {live}.history where kind = 'erasure'

-- name: erased_log
select convert_from(data, 'UTF8')::jsonb ->> 'keys' as keys from log where kind = 'erasure'

-- name: create_log
create table log (
    lane int not null, lane_seq bigint not null, kind text not null, stream_id uuid not null, version int not null,
    type text not null, event_id uuid not null, at timestamptz not null, tenant text not null, data bytea not null,
    sealed bytea not null, primary key (lane, lane_seq))

-- name: add_log
insert into log
select * from unnest($1::int[], $2::bigint[], $3::text[], $4::uuid[], $5::int[], $6::text[], $7::uuid[],
    $8::timestamptz[], $9::text[], $10::bytea[], $11::bytea[])
on conflict do nothing

-- name: index_log
create index on log (lane, kind, stream_id, version)

-- name: log_counts
select lane, count(*) as facts from log group by lane

-- name: from_log
select kind, stream_id, version, type, event_id, at, tenant, data, sealed
from log where lane = $1 and lane_seq <= $2
order by kind, stream_id, version

-- name: columns
select a.attname as name, coalesce(a.attnum = any (i.indkey), false) as key
from pg_attribute a
left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
order by a.attnum

-- name: try_lock
select pg_try_advisory_lock(7236520)

-- name: say_rebuilding
insert into rebuilding (by_whom) values ($1) on conflict (one) do nothing

-- name: say_whole
delete from rebuilding
