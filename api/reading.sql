-- A line that decides whose a row is says `-- seen by:` with its name in policy.py; the tests take just these away.
-- Parameters of every list: organization, status, organization filter, updated after, position (created_at, id), limit.

-- name: one
select * from readable_referral where id = $1

-- name: waits
select exists (select from parked
    where kind = 'referral' and stream_id = $1
    and tenant = $2 -- seen by: owner
)

-- name: these
select id, state, reviewed from referral where id = any ($1::uuid[])

-- name: decision
select decision from referral where id = $1

-- name: list_sent
select * from readable_referral
where sender = $1 -- seen by: sender
    and ($2::text is null or status = $2)
    and ($3::text is null or payer = $3 or recipients @> array[$3])
    and ($4::timestamptz is null or updated_at > $4)
    and ($5::timestamptz is null or created_at < $5 or (created_at = $5 and id > $6::uuid))
order by created_at desc, id
limit $7

-- name: list_covered
select * from readable_referral
where (
        sender = $1 -- seen by: sender
        or payer = $1 -- seen by: payer
        or payers_before @> jsonb_build_array(jsonb_build_object('payer', $1::text)) -- seen by: payer-before
    )
    and ($2::text is null or status = $2)
    and ($3::text is null or sender = $3 or payer = $3 or recipients @> array[$3])
    and ($4::timestamptz is null or updated_at > $4)
    and ($5::timestamptz is null or created_at < $5 or (created_at = $5 and id > $6::uuid))
order by created_at desc, id
limit $7

-- A CBO filters by what it may know: the status of its own turn, and the sender.
-- name: list_received
select r.* from readable_referral r
where r.recipients @> array[$1::text] -- seen by: asked
    and ($2::text is null or $2 = (
        select h.status from hop h where h.referral_id = r.id and h.recipient = $1 order by h.number desc limit 1))
    and ($3::text is null or r.sender = $3 or $3 = $1)
    and ($4::timestamptz is null or r.updated_at > $4)
    and ($5::timestamptz is null or r.created_at < $5 or (r.created_at = $5 and r.id > $6::uuid))
order by r.created_at desc, r.id
limit $7

-- name: list_reviewed
select * from readable_referral
where (hub = $1 and reviewed) -- seen by: hub
    and ($2::text is null or status = $2)
    and ($3::text is null or sender = $3 or payer = $3 or recipients @> array[$3])
    and ($4::timestamptz is null or updated_at > $4)
    and ($5::timestamptz is null or created_at < $5 or (created_at = $5 and id > $6::uuid))
order by created_at desc, id
limit $7

-- name: list_all
select * from readable_referral
where $1::text is not null -- seen by: any operator
    and ($2::text is null or status = $2)
    and ($3::text is null or sender = $3 or payer = $3 or recipients @> array[$3])
    and ($4::timestamptz is null or updated_at > $4)
    and ($5::timestamptz is null or created_at < $5 or (created_at = $5 and id > $6::uuid))
order by created_at desc, id
limit $7

-- name: events
select version, type, occurred_at, at, actor_organization, actor_user, on_behalf_of, channel, data, sealed,
    key_of(sealed) as key
from history
where lane = $5 and kind = 'referral' and stream_id = $1 and version > $2 and $4::text is not null
order by version
limit $3

-- name: events_of_own_hops
select e.version, e.type, e.occurred_at, e.at, e.actor_organization, e.actor_user, e.on_behalf_of, e.channel, e.data,
    e.sealed, key_of(e.sealed) as key
from history e
join hop h on h.referral_id = e.stream_id
    and h.recipient = $4 -- seen by: asked
    and h.hop::text = convert_from(e.data, 'UTF8')::jsonb ->> 'hop'
where e.lane = $5 and e.kind = 'referral' and e.stream_id = $1 and e.version > $2
order by e.version
limit $3
