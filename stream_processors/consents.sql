-- The consents of the people of one batch, after its lanes are locked; each step a statement of its own.

-- name: make_people
insert into person_consent (person_key, tenant)
select * from unnest($1::uuid[], $2::text[]) as person (person_key, tenant)
order by person_key
on conflict (person_key) do nothing

-- name: share_people
select person_key from person_consent where person_key = any ($1::uuid[]) order by person_key for share

-- name: hold_people
select person_key from person_consent where person_key = any ($1::uuid[]) order by person_key for update

-- name: read_people
select person_key, records::text as records from person_consent
where person_key = any ($1::uuid[]) and records <> '{}'

-- name: open_referrals
select state from referral where person_key = any ($1::uuid[]) and status <> all ($2::text[])

-- name: save_people
update person_consent p
set records = p.records || new.records
from unnest($1::uuid[], $2::jsonb[]) as new (person_key, records)
where p.person_key = new.person_key
