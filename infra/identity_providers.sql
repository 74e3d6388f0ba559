-- name: set
insert into identity_provider (tenant, issuer, client_id, kek, client_secret, domains) values ($1, $2, $3, $4, $5, $6)
on conflict (tenant) do update set issuer = excluded.issuer, client_id = excluded.client_id,
    kek = excluded.kek, client_secret = excluded.client_secret, domains = excluded.domains

-- name: end
delete from identity_provider where tenant = $1
