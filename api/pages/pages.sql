-- What pages read beside api/reading.sql, always under the caller's role unless it says aggregates.

-- name: organizations
select id, name, type, active from organization

-- name: service_names
select id::text as id, routing ->> 'name' as name from service where id = any ($1::uuid[])

-- name: last_event
select max(updated_at) from progress

-- A sender's own list: statuses ('{}' = all), a part of its own id, position (created_at, id), limit.
-- name: sent
select * from readable_referral
where sender = $1 -- seen by: sender
    and (cardinality($2::text[]) = 0 or status = any ($2))
    and ($3 = '' or position(lower($3) in lower(sender_referral_id)) > 0)
    and ($4::timestamptz is null or created_at < $4 or (created_at = $4 and id > $5::uuid))
order by created_at desc, id
limit $6

-- name: sent_counts
select status, count(*) as count from referral
where sender = $1 -- seen by: sender
group by status

-- An organization's inbox by the status of its own last turn; the most pressing first.
-- name: waiting
select r.*, h.due_at as place from hop h
join readable_referral r on r.id = h.referral_id
where h.recipient = $1 -- seen by: asked
    and h.status = any ($2::text[])
    and not exists (
        select from hop l where l.referral_id = h.referral_id and l.recipient = h.recipient and l.number > h.number)
    and ($3::timestamptz is null or h.due_at > $3 or (h.due_at = $3 and r.id > $4::uuid))
order by h.due_at, r.id
limit $5

-- name: answered
select r.*, r.updated_at as place from hop h
join readable_referral r on r.id = h.referral_id
where h.recipient = $1 -- seen by: asked
    and h.status = any ($2::text[])
    and not exists (
        select from hop l where l.referral_id = h.referral_id and l.recipient = h.recipient and l.number > h.number)
    and ($3::timestamptz is null or r.updated_at < $3 or (r.updated_at = $3 and r.id > $4::uuid))
order by r.updated_at desc, r.id
limit $5

-- name: inbox_counts
select status, count(*) as count
from (
    select distinct on (referral_id) referral_id, status from hop
    where recipient = $1 -- seen by: asked
    order by referral_id, number desc
) as last
group by status

-- A plan's members in a period of receipt, newest first.
-- name: members
select * from readable_referral
where payer = $1 -- seen by: payer
    and contract = $2 and created_at >= $3 and created_at < $4
    and ($5::timestamptz is null or created_at < $5 or (created_at = $5 and id > $6::uuid))
order by created_at desc, id
limit $7

-- name: these
select * from readable_referral where id = any ($1::uuid[])

-- The hub's queue, longest waiting first.
-- name: queue
select * from readable_referral
where (hub = $1 and reviewed) -- seen by: hub
    and status = any ($5::text[])
    and ($2::timestamptz is null or created_at > $2 or (created_at = $2 and id > $3::uuid))
order by created_at, id
limit $4

-- What the hub has had in hand: under way or closed, the newest change first.
-- name: followed
select *, updated_at as place from readable_referral
where (hub = $1 and reviewed) -- seen by: hub
    and status = any ($5::text[])
    and ($2::timestamptz is null or updated_at < $2 or (updated_at = $2 and id > $3::uuid))
order by updated_at desc, id
limit $4

-- name: reviewed_counts
select status, count(*) as count from referral
where (hub = $1 and reviewed) -- seen by: hub
group by status

-- name: services
select id::text as id, tenant as organization, routing ->> 'name' as name, routing -> 'postal_codes' ->> 0 as place
from service
where coalesce((routing ->> 'active')::boolean, true)
    and (id = any ($3::uuid[]) or routing -> 'domains' ? $1)
    and ($2 = '' or position(lower($2) in lower(routing ->> 'name')) > 0 or tenant = any ($4::text[]))
order by (id = any ($3::uuid[])) desc, routing ->> 'name', id
limit 200

-- A CBO's own active services, as api/directory.py lists them.
-- name: own_services
select s.id, s.body::text as body, c.data::text as said
from service s
left join stream c on c.kind = 'capacity' and c.id = s.id and c.tenant = s.tenant
where s.tenant = $1 -- seen by: owner
    and s.active and s.id > $2
order by s.id
limit $3

-- Aggregates, as the reader.
-- name: by_county
select coalesce(state ->> 'county', '') as name, count(*) as count from referral group by 1

-- name: by_domain
select domain as name, count(*) as count from referral group by 1

-- name: by_status
select status as name, count(*) as count from referral group by 1

-- name: progress
select topic, partition, next_offset, updated_at from progress order by topic, partition

-- name: relay
select sum(l.seq)::bigint as recorded, sum(p.next_seq - 1)::bigint as published from lane l join relay_position p using (lane)

-- name: dead_letters
select reason, topic, partition, "offset", at from (
    select reason, topic, partition, "offset", at from dead_letter where replayed_at is null
    union all select 'our-failure: ' || error, topic, partition, "offset", at from parked where error is not null) letter
order by at desc limit 20

-- name: parked_count
select count(*) from parked

-- name: held_up
select p.stream_id::text as id, min(p.parked_at) as since
from parked p join referral r on r.id = p.stream_id
where p.kind = 'referral'
    and (r.hub = $1 and r.reviewed) -- seen by: hub
group by p.stream_id order by since limit 20

-- name: dead_letter_count
select count(*) from dead_letter where replayed_at is null

-- name: overdue
select count(*) from deadline where sent_at is null and due_at < now() - interval '1 minute'

-- name: paused
select r.service::text as service, r.tenant as organization, s.routing ->> 'name' as name
from service_record r
join service s on s.id = r.service and s.tenant = r.tenant and s.active
where cardinality(r.expiries) >= $1 and (r.answered_at is null or r.expiries[$1] > r.answered_at)
    and ($2::text is null or r.tenant = $2) -- seen by: owner or hub
order by r.tenant, name, r.service
limit 20
