-- A referral as the API reads it, under the caller's own rights: what to find it by, its content and the keys to that.
create view readable_referral with (security_invoker = true) as
    select id, sender, recipients, payer, payers_before, hub, sender_referral_id, status, contract, created_at, updated_at,
        state, sealed, key_of(sealed) as key, outcome_sealed, key_of(outcome_sealed) as outcome_key,
        reviewed, consents_of(person_key) as consents
    from referral;
grant select on readable_referral to refex_api;
