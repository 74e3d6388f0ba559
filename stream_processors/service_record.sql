-- What a batch tells of services, and the places it takes; the rows are locked in the order of their keys.

-- name: changed_records
select s.seen, r.service::text as service, r.tenant, r.asked, r.accepted, r.rejected, r.expired, r.wrong, r.bounces,
    r.response_seconds, r.answered_at, r.closed_at, r.reopened_at, r.expiries
from (select pg_snapshot_xmin(pg_current_snapshot())::text as seen) s
left join service_record r on r.changed_in >= $1::text::xid8

-- name: changed_capacity
select s.seen, c.service::text as service, c.tenant, c.version, c.taken
from (select pg_snapshot_xmin(pg_current_snapshot())::text as seen) s
left join service_capacity c on c.changed_in >= $1::text::xid8

-- name: open_capacity
insert into service_capacity (service, tenant, version)
select * from unnest($1::uuid[], $2::text[], $3::int[])
on conflict do nothing

-- name: hold_capacity
select c.service::text as service, c.tenant, c.version, c.taken
from service_capacity c
join unnest($1::uuid[], $2::text[], $3::int[]) as want (service, tenant, version) using (service, tenant, version)
order by c.service, c.tenant, c.version
for update of c

-- name: take_capacity
update service_capacity c set taken = c.taken + new.change, changed_in = pg_current_xact_id()
from unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::int[], $6::int[])
    as new (service, tenant, version, change, peak, available)
where c.service = new.service and c.tenant = new.tenant and c.version = new.version
    and (new.peak is null or new.available is null or c.taken + new.peak <= new.available)

-- name: add_capacity
insert into service_capacity (service, tenant, version, taken)
select service, tenant, version, sum(taken)
from unnest($1::uuid[], $2::text[], $3::int[], $4::int[]) as new (service, tenant, version, taken)
group by service, tenant, version order by service, tenant, version
on conflict (service, tenant, version) do update set taken = service_capacity.taken + excluded.taken

-- name: add_records
insert into service_record (service, tenant, asked, accepted, rejected, expired, wrong, bounces, response_seconds,
    answered_at, closed_at, reopened_at, expiries)
select service, tenant, sum(asked), sum(accepted), sum(rejected), sum(expired), sum(wrong), sum(bounces),
    sum(response_seconds), max(answered_at), max(closed_at), max(reopened_at),
    array(select at from unnest(string_to_array(string_agg(expiries, ','), ',')::timestamptz[]) at
        order by at desc limit 10)
from unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[], $9::bigint[],
    $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::text[])
    as new (service, tenant, asked, accepted, rejected, expired, wrong, bounces, response_seconds, answered_at,
    closed_at, reopened_at, expiries)
group by service, tenant order by service, tenant
on conflict (service, tenant) do update
set asked = service_record.asked + excluded.asked, accepted = service_record.accepted + excluded.accepted,
    rejected = service_record.rejected + excluded.rejected, expired = service_record.expired + excluded.expired,
    wrong = service_record.wrong + excluded.wrong, bounces = service_record.bounces + excluded.bounces,
    response_seconds = service_record.response_seconds + excluded.response_seconds,
    answered_at = greatest(service_record.answered_at, excluded.answered_at),
    closed_at = greatest(service_record.closed_at, excluded.closed_at),
    reopened_at = greatest(service_record.reopened_at, excluded.reopened_at),
    expiries = array(select at from unnest(service_record.expiries || excluded.expiries) at order by at desc limit 10),
    changed_in = pg_current_xact_id()
returning service::text as service, tenant, answered_at, expiries

-- name: tell_of_pause
insert into delivery (id, tenant, recipient, kind, stream_id, version, type, status, at, next_attempt_at)
select id, tenant, recipient, 'service', stream_id, 0, 'service-paused', 'paused', at, at
from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::timestamptz[])
    as new (id, tenant, recipient, stream_id, at)
on conflict do nothing
