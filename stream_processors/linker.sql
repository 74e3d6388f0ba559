-- name: try_lock
select pg_try_advisory_lock(7236511)

-- name: waiting
select person_key, since from person_unlinked where not exists (select from rebuilding) order by since limit $1

-- Pairs of two senders with a key in common, once each; bounded for each key, however many share it.
-- name: pairs
select distinct new.person_key, near.person_key as other
from unnest($1::uuid[]) as waiting (person_key)
join person_match new using (person_key)
cross join lateral (
    select m.person_key, m.tenant from person_match m where m.key = new.key order by m.person_key limit 20) as near
where near.tenant <> new.tenant

-- The newest referral of each; one of a sensitive need is never compared: that two know the person would tell it.
-- name: newest
select p.person_key, r.id, r.sender, r.hub, r.sealed
from unnest($1::uuid[]) as p (person_key)
cross join lateral (
    select id, sender, hub, sealed from referral r
    where r.person_key = p.person_key and r.status <> 'refused' and coalesce(jsonb_array_length(r.state -> 'sensitivity'), 0) = 0
    order by created_at desc limit 1) as r

-- name: compared
delete from person_unlinked u using unnest($1::uuid[], $2::timestamptz[]) as done (person_key, since)
where u.person_key = done.person_key and u.since = done.since
