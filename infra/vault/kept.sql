-- Secrets of people, providers and receivers under the key-encryption key; as the owner. $2: only those still in the clear.

-- name: in_the_clear
select exists (select from second_factor where kek is null) or exists (select from identity_provider where kek is null)
    or exists (select from webhook_secret where kek is null)

-- name: devices
select user_id as id, tenant, kek, secret from second_factor
where kek is null or (kek <> $1 and not $2) order by user_id for update

-- name: seal_device
update second_factor set kek = $2, secret = $3 where user_id = $1

-- name: providers
select tenant as id, issuer, client_id, kek, client_secret as secret from identity_provider
where kek is null or (kek <> $1 and not $2) order by tenant for update

-- name: seal_provider
update identity_provider set kek = $2, client_secret = $3 where tenant = $1

-- name: receivers
select tenant as id, kek, secret from webhook_secret
where kek is null or (kek <> $1 and not $2) order by tenant for update

-- name: seal_receiver
update webhook_secret set kek = $2, secret = $3 where tenant = $1
