-- What decisions may know about the persons of a batch (persons.py).

-- Confirmed links, followed to the end: a person may be known to three senders.
-- name: linked
with recursive reached as (
    select person, person as other from unnest($1::uuid[]) as want (person)
    union
    select r.person, end_.id
    from reached r
    join stream s on s.kind = 'person-link' and s.data -> 'persons' ? r.other::text and s.data ->> 'status' = 'confirmed'
    cross join lateral (
        select p::uuid as id from jsonb_array_elements_text(s.data -> 'persons') as p) as end_)
select person, other from reached where other <> person

-- Bounded for each key, however many share it: ten persons, and of each the two newest referrals of the need.
-- name: near
select want.key, r.id, r.state, r.sealed
from unnest($1::uuid[], $2::text[]) as want (key, domain)
cross join lateral (
    select want.key as person_key
    union all
    (select m.person_key from person_match m where m.key = want.key order by m.person_key limit 10)) as person
cross join lateral (
    select id, state, sealed from referral
    where person_key = person.person_key and domain = want.domain and created_at > $3
    order by created_at desc limit 2) as r
