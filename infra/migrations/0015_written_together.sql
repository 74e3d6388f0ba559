-- Hops and deadlines are written in the transaction that writes their referral, under its lane's lock, and no role may
-- delete a referral. Looking the referral up once more for each of their rows cost more than writing them; that every row
-- has its referral is what `refex ledger check` proves (L5).
alter table hop drop constraint hop_referral_id_fkey;
alter table deadline drop constraint deadline_referral_id_fkey;

-- Few referrals ever had another payer: the others need no entry that says so.
drop index referral_payers_before;
create index referral_payers_before on referral using gin (payers_before jsonb_path_ops)
    where payers_before is not null;
