-- What `refex person` reads, and how it wraps keys anew; as the owner.

-- name: known
select exists (select from organization where id = $1)

-- The same person at other senders, as the hub has confirmed; one step is enough to be told of them.
-- name: linked
select distinct p::uuid as other
from stream s cross join lateral jsonb_array_elements_text(s.data -> 'persons') as p
join person_key k on k.person_key = p::uuid
where s.kind = 'person-link' and s.data ->> 'status' = 'confirmed' and s.data -> 'persons' ? $1::uuid::text
    and p <> $1::uuid::text

-- name: outcome
select outcome, detail from inbox where tenant = $1 and event_id = $2

-- name: wrapped_before
select person_key, tenant, key_id, kek, wrapped from person_key where kek <> $1 order by person_key limit $2 for update

-- name: rewrap
update person_key k set kek = new.kek, wrapped = new.wrapped
from unnest($1::uuid[], $2::text[], $3::bytea[]) as new (person_key, kek, wrapped) where k.person_key = new.person_key

-- name: retire
delete from key_encryption_key k
where k.id <> $1 and not exists (select from person_key p where p.kek = k.id)
    and not exists (select from intake_key i where i.kek = k.id)
    and not exists (select from second_factor f where f.kek = k.id)
    and not exists (select from webhook_secret s where s.kek = k.id)
    and not exists (select from identity_provider p where p.kek = k.id)
returning id
