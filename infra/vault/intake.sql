-- The exchange's keys for what is on its way to it.

-- name: there
select exists (select from intake_key where used_from = $1)

-- name: make
insert into intake_key (id, public, kek, wrapped, used_from, used_until) values ($1, $2, $3, $4, $5, $6)
on conflict do nothing

-- What failed us still waits to be read again: its key waits with it.
-- name: forget
delete from intake_key where used_until < $1
    and not exists (select from parked)
    and not exists (select from dead_letter d
        where d.replayed_at is null and d.reason in ('our-failure', 'quarantined') and d.at >= used_from)

-- name: all
select id, kek, wrapped from intake_key

-- name: public
select id, public, used_until from intake_key where used_from <= $1 and used_until > $1 order by used_from limit 1

-- name: wrapped_before
select id, kek, wrapped from intake_key where kek <> $1

-- name: rewrap
update intake_key set kek = $2, wrapped = $3 where id = $1
