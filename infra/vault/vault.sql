-- The persons' keys. A row is deleted when its person is erased; nothing else ever reads or keeps a key.

-- name: load_keys
select person_key, tenant, key_id, kek, wrapped from person_key where person_key = any ($1::uuid[])

-- name: keep_keys
insert into person_key (person_key, tenant, key_id, kek, wrapped)
select * from unnest($1::uuid[], $2::text[], $3::bytea[], $4::text[], $5::bytea[])
on conflict do nothing

-- name: forget_keys
delete from person_key where person_key = any ($1::uuid[])

-- name: keks
select id from key_encryption_key

-- name: keep_kek
insert into key_encryption_key (id) values ($1) on conflict do nothing
