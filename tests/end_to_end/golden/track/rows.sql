INSERT INTO events (id, event_name, products, total_price, [timestamp]) VALUES
    (1, N'Order Completed', N'[{"product_id": "SKU-1", "name": "Crème brûlée torch 🔥", "price": 34.50}]', 34.50, 1735689600),
    (1, N'Order Completed', N'[{"product_id": "SKU-1", "name": "Crème brûlée torch 🔥", "price": 34.50}]', 34.50, 1735689600),
    (2, N'Newsletter Opened', NULL, NULL, 1735689601),
    (3, N'Odd', N'no JSON', 0.00, 1735689602),
    (4, NULL, N'[]', 1.00, 1735689603);
