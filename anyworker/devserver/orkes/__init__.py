"""What an Orkes server has beyond Conductor OSS."""
