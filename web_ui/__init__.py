"""The member's kiosk page and the staff's dashboard; owns no truth."""
