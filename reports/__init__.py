"""What people and auditors read: tables, pictures, Allure, PDF, manifest, trend."""
