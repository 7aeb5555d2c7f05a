-- Who was on the mail of a ticket and so may follow it up, and what the brake counts.

-- Addresses in lower case (ASCII letters alone), as they are compared.
CREATE TABLE correspondents (
    ticket BIGINT NOT NULL REFERENCES tickets (number) ON DELETE CASCADE,
    email  TEXT   NOT NULL,
    PRIMARY KEY (ticket, email)
);

-- What is known of the mail of before: its sender and recipients are in the reports.
INSERT INTO correspondents (ticket, email)
    SELECT DISTINCT touched.ticket, lower(trim(json_extract(person.value, '$.email')))
    FROM receipts
    JOIN receipt_tickets touched ON touched.receipt = receipts.id
    JOIN json_each(json_array(json_extract(receipts.report_json, '$.message.sender'))) person
    WHERE json_valid(receipts.report_json) AND json_extract(person.value, '$.email') LIKE '%@%'
    ON CONFLICT DO NOTHING;
INSERT INTO correspondents (ticket, email)
    SELECT DISTINCT touched.ticket, lower(trim(json_extract(person.value, '$.email')))
    FROM receipts
    JOIN receipt_tickets touched ON touched.receipt = receipts.id
    JOIN json_each(receipts.report_json, '$.message.recipients') person
    WHERE json_valid(receipts.report_json) AND json_extract(person.value, '$.email') LIKE '%@%'
    ON CONFLICT DO NOTHING;

-- Who wrote it, as above; null if that is not known.
ALTER TABLE receipts ADD COLUMN sender TEXT;
UPDATE receipts SET sender = lower(trim(json_extract(report_json, '$.message.sender.email')))
    WHERE json_valid(report_json) AND json_extract(report_json, '$.message.sender.email') LIKE '%@%';

CREATE INDEX receipts_by_sender ON receipts (sender, received_at) WHERE outcome = 'accepted';
CREATE INDEX receipt_tickets_by_ticket ON receipt_tickets (ticket);
