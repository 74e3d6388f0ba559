-- The consents of the people of one batch, after its lanes are locked; each step a statement of its own.

-- name: make_people
insert into person_lock select unnest($1::uuid[]) order by 1 on conflict do nothing

-- name: share_people
select person_key from person_lock where person_key = any ($1::uuid[]) order by person_key for share

-- name: hold_people
select person_key from person_lock where person_key = any ($1::uuid[]) order by person_key for update

-- name: read_people
select person_key, jsonb_object_agg(consent, record)::text as records from person_consent
where person_key = any ($1::uuid[])
group by person_key

-- name: open_referrals
select state from referral where person_key = any ($1::uuid[]) and status <> all ($2::text[])
