-- What the oracle asks, all in one snapshot. Written against the tables alone: it shares nothing with the exchange.

-- name: make_tables
create temp table ledger_intent (
    file int, seq bigint, organization text, topic text, key uuid, began timestamptz);
create temp table ledger_result (file int, seq bigint, state text, event_id uuid, partition int, "offset" bigint)

-- name: join_tables
create temp table ledger_line as
select i.seq, i.organization, i.topic, i.key, i.began, r.state, r.event_id, r.partition, r."offset"
from ledger_intent i left join ledger_result r using (file, seq);
create index on ledger_line (organization, key);
create index on ledger_line (organization, event_id);
analyze ledger_line

-- name: lost
with acked as (
    select l.*, l."offset" is not null and l."offset" >= coalesce(p.next_offset, 0)
        or l."offset" is null and l.topic <> all ($1::text[]) as in_flight,
        exists (select from inbox i where i.tenant = l.organization and i.event_id = l.event_id)
        or l.event_id is null and (l.organization, l.key) in (select tenant, stream_id from inbox)
        or exists (select from dead_letter d
            where d.topic = l.topic and d.partition = l.partition and d."offset" = l."offset")
        or exists (select from parked w where w.tenant = l.organization and w.event_id = l.event_id)
        or l.event_id is null and (l.organization, l.key) in (select tenant, stream_id from parked) as there
    from ledger_line l left join progress p on p.topic = l.topic and p.partition = l.partition
    where l.state = 'acked')
select count(*) filter (where there or not in_flight) as checked,
    count(*) filter (where not there and not in_flight) as violations,
    (array_agg(coalesce(event_id, key)::text order by seq) filter (where not there and not in_flight))[1:5] as examples
from acked

-- name: doubled
with effects as (
    select actor_organization as tenant, event_id, bool_or(kind <> 'refusal') as facts,
        bool_or(kind = 'refusal') as refused
    from history group by 1, 2),
outcomes as (
    select tenant, event_id, count(*) as times, min(outcome) as outcome from inbox group by 1, 2),
judged as (
    select coalesce(o.event_id, e.event_id) as event_id,
        coalesce(o.times, 0) > 1
        or o.outcome = 'applied' and e.facts is not true
        or o.outcome is distinct from 'applied' and e.facts
        or o.outcome = 'rejected' and e.refused is not true as wrong
    from outcomes o full join effects e using (tenant, event_id)),
scattered as (
    select event_id from history where kind <> 'refusal' group by actor_organization, event_id, lane, kind, stream_id
    having max(version) - min(version) + 1 <> count(*)),
places as (
    select min(id::text) as id from (
        select topic, partition, "offset", event_id as id from inbox
        union all select topic, partition, "offset", id from dead_letter
        union all select topic, partition, "offset", id from parked) place
    group by topic, partition, "offset" having count(*) > 1),
wrong as (
    select event_id::text as id from judged where wrong
    union all select event_id::text from scattered
    union all select id from places)
select (select count(*) from judged) as checked, count(*) as violations, (array_agg(id order by id))[1:5] as examples
from wrong

-- name: unknown_events
with scope as (select organization, topic, min(began) as began from ledger_line group by 1, 2)
select count(*) as checked, count(*) filter (where not known) as violations,
    (array_agg(event_id::text order by event_id) filter (where not known))[1:5] as examples
from (
    select i.event_id, exists (select from ledger_line l where l.organization = i.tenant and l.key = i.stream_id)
        or exists (select from ledger_line l where l.organization = i.tenant and l.event_id = i.event_id) as known
    from inbox i join scope s on s.organization = i.tenant and s.topic = i.topic
    where i.at >= s.began) seen

-- name: gaps
select count(*) as checked, count(*) filter (where version <> before + 1) as violations,
    (array_agg(stream_id::text order by stream_id) filter (where version <> before + 1))[1:5] as examples
from (
    select stream_id, version,
        coalesce(lag(version) over (partition by lane, kind, stream_id order by version), 0) as before
    from history) counted

-- name: lanes
select count(*) as checked, count(*) filter (where wrong) as violations,
    (array_agg('lane ' || lane) filter (where wrong))[1:5] as examples
from (
    select l.lane, l.seq <> count(h.lane_seq) or l.seq <> coalesce(max(h.lane_seq), 0)
        or l.seq > 0 and min(h.lane_seq) <> 1 as wrong
    from lane l left join history h using (lane) group by l.lane, l.seq) counted

-- name: statuses
select before, status as after, count(*) as n, (array_agg(stream_id::text))[1:5] as examples
from (
    select stream_id, status,
        lag(status) over (partition by lane, stream_id order by version) as before
    from history where kind = 'referral') step
group by 1, 2

-- name: hops
with moved as (
    select lane, stream_id, version, m.status, convert_from(data, 'UTF8')::jsonb ->> 'hop' as hop,
        case when m.status = '=' then convert_from(data, 'UTF8')::jsonb ->> 'status' else m.status end as after
    from history h join unnest($1::text[], $2::text[]) as m (type, status) using (type)
    where h.kind = 'referral'),
steps as (
    select *, lag(after) over (partition by lane, stream_id, hop order by version) as before from moved),
held as (
    select *, sum((after = any ($3::text[]))::int - (coalesce(before, '') = any ($3::text[]))::int)
        over (partition by lane, stream_id order by version) as at_once
    from steps)
select before, after, at_once > 1 as several, count(*) as n, (array_agg(stream_id::text))[1:5] as examples
from held group by 1, 2, 3

-- name: tenants
with inbox_origin as (
    select tenant, event_id, topic,
        case when topic like 'intake.%' and topic <> 'intake.api' then substr(topic, 8) else tenant end as origin
    from inbox),
first_fact as (
    select h.kind, h.stream_id,  -- the hub may end another's consent
        case when h.kind in ('consent', 'consent-reach') then coalesce(h.on_behalf_of, i.origin) else i.origin end
            as origin
    from history h
    join inbox_origin i on i.tenant = h.actor_organization and i.event_id = h.event_id
    where h.version = 1 and h.kind <> 'refusal'),
found as (
    select event_id::text as id, tenant = origin as good from inbox_origin
    union all
    select id::text, tenant = substr(topic, 8) from dead_letter
    where topic like 'intake.%' and topic <> 'intake.api'
    union all
    select id::text, tenant = substr(topic, 8) from parked
    where topic like 'intake.%' and topic <> 'intake.api'
    union all
    select h.stream_id::text, h.tenant = f.origin and coalesce(h.sender = f.origin, true)
    from history h join first_fact f using (kind, stream_id)
    union all
    select r.id::text, r.tenant = f.origin and r.sender = f.origin
    from referral r join first_fact f on f.kind = 'referral' and f.stream_id = r.id
    union all
    select p.referral_id::text, p.tenant = f.origin and p.sender = f.origin
    from hop p join first_fact f on f.kind = 'referral' and f.stream_id = p.referral_id
    union all
    select s.id::text, s.tenant = f.origin from stream s join first_fact f on f.kind = s.kind and f.stream_id = s.id
    union all
    select c.event_id::text, exists (select from inbox i where i.tenant = c.tenant and i.event_id = c.event_id)
    from rejected_command c)
select count(*) as checked, count(*) filter (where not good) as violations,
    (array_agg(id) filter (where not good))[1:5] as examples
from found

-- name: tenants_of_ledger
select count(*) as checked, count(*) filter (where wrong) as violations,
    (array_agg(event_id::text) filter (where wrong))[1:5] as examples
from (
    select l.event_id, i.tenant <> l.organization as wrong
    from ledger_line l
    join inbox i on i.topic = l.topic and i.partition = l.partition and i."offset" = l."offset"
    where l."offset" is not null) compared

-- name: progress
select topic, partition, next_offset from progress

-- name: relayed
select r.lane, least(r.next_seq - 1, l.seq) as upto from relay_position r join lane l using (lane) order by r.lane

-- name: lane_facts
select lane_seq, kind, stream_id, version, type, event_id, data, sealed
from history where lane = $1 and lane_seq <= $2 order by lane_seq
