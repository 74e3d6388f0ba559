-- Who must look again when a spell is new, changed, begins or is over. Locks: 7236504 and a member's bucket (its lane).

-- name: try_lock
select pg_try_advisory_lock(7236505)

-- name: share_members
select pg_advisory_xact_lock_shared(7236504, bucket) from (select unnest($1::int[]) as bucket order by 1) b

-- name: members
select id, tenant, version, type, data::text as data from stream where kind = 'member' and id = any ($1::uuid[])

-- name: due
select member, generation, due_at from coverage_due
where due_at <= now() and not exists (select from rebuilding) order by due_at limit 500

-- name: lock_members
select pg_advisory_xact_lock(7236504, bucket) from (select unnest($1::int[]) as bucket order by 1) b

-- name: referrals
select id, member::uuid as member from referral
where member = any ($1::text[]) and member is not null and not closed

-- name: told
update coverage_due c set due_at = new.next_at
from unnest($1::uuid[], $2::int[], $3::timestamptz[]) as new (member, generation, next_at)
where c.member = new.member and c.generation = new.generation
